// The quantum Fourier transform of a wave that repeats three times over 16 points, so that 0011 is measured:
// the phases are set by hand, and the inverse transform finds the frequency.
OPENQASM 3.0;
include "stdgates.inc";

const int n = 4;
const int frequency = 3;
qubit[n] q;
bit[n] c;

for int i in [0:n - 1] {
  h q[i];
  p(2 * pi * frequency * 2 ** i / 2 ** n) q[i];
}

// Inverse Fourier transform: swaps, then for each qubit the phases of those below it, then H.
swap q[0], q[3];
swap q[1], q[2];
for int i in [0:n - 1] {
  for int j in [0:i - 1] {
    cp(-pi / 2 ** (i - j)) q[j], q[i];
  }
  h q[i];
}
c = measure q;
