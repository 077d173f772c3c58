// The end of a run back: gates on one wire each, before which psi is a product state. They need no state: their derivatives
// follow from two numbers for each wire, lambda contracted with the factors of psi on all others.
#pragma once
#include <array>
#include <vector>

#include "../plan/element.h"

namespace qrealm {

class Tail {
public:
    // Takes the tail out of the elements of a run back, split already, if it has a derivative; else leaves them as they are.
    explicit Tail(Elements& e);

    bool empty() const { return rows_.empty(); }
    // Conjugate factors of psi, for as many wires; those beyond the circuit's read zero.
    std::vector<std::array<complex, 2>> rows(int num_wires) const;
    // Adds the derivatives. `contracted`: of each wire; `scale`: what it is to be multiplied by.
    void add(const std::vector<std::array<complex, 2>>& contracted, complex scale, std::vector<double>& slots) const;

private:
    struct Step {
        Matrix2 matrix;
        int inner;  // index into inners_, or -1: with Z for a parity, with Y for a rotation
    };
    std::vector<std::vector<Step>> steps_;          // of each wire, in the order of the run
    std::vector<std::array<complex, 2>> rows_;
    std::vector<Inner> inners_;
};

}  // namespace qrealm
