// Grover's search for 101 among eight: two rounds find it in 94.5 % of the shots.
OPENQASM 3.0;
include "stdgates.inc";

gate oracle a, b, c {
  x b;
  ctrl(2) @ z a, b, c;
  x b;
}

gate diffusion a, b, c {
  h a; h b; h c;
  x a; x b; x c;
  ctrl(2) @ z a, b, c;
  x a; x b; x c;
  h a; h b; h c;
}

qubit[3] q;
bit[3] c;

h q;
oracle q[0], q[1], q[2];
diffusion q[0], q[1], q[2];
oracle q[0], q[1], q[2];
diffusion q[0], q[1], q[2];
c = measure q;
