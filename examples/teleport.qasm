// Teleports the state ry(1.2)|0> from q[0] to q[2]: out is 1 in sin(0.6)^2 = 32 % of the shots.
OPENQASM 3.0;
include "stdgates.inc";

qubit[3] q;
bit[2] sent;
bit out;

ry(1.2) q[0];

// a shared pair
h q[1];
cx q[1], q[2];

// the sender's half
cx q[0], q[1];
h q[0];
sent[0] = measure q[0];
sent[1] = measure q[1];

// the receiver's corrections
if (sent[1] == 1) {
  x q[2];
}
if (sent[0] == 1) {
  z q[2];
}
out = measure q[2];
