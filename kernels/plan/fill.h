// The numbers of micro-ops. Where an op acts is laid out once, from which wires its elements use; what it multiplies
// by is filled in from their angles and matrices, and can be filled in again for other ones.
#pragma once
#include "program.h"

namespace qrealm {

// Fills in ops in the order in which they run.
template <class T>
class Filler {
public:
    // `scale`: what stored amplitudes are to be multiplied by; `log2_growth`: how much larger they may be than true ones.
    Filler(const Elements& e, complex scale, double log2_growth) : scale(scale), log2_growth(log2_growth), e_(e) {}

    void operator()(MicroOp<T>& op);

    complex scale;
    double log2_growth;

private:
    static constexpr int lanes = Layout<T>::lanes;
    const Elements& e_;
    int n_ = 0;                          // wires
    struct Exponent {  // of a factor: its angle, and ln of its magnitude
        double angle = 0, log = 0;
        bool nothing() const { return angle == 0 && log == 0; }
        Exponent& operator+=(const Exponent& x) {
            angle += x.angle;
            log += x.log;
            return *this;
        }
    };
    std::vector<Exponent> single_, pair_;  // diagonal: of wires and of pairs of wires
    Exponent all_;                         // of everything
    std::vector<complex> values_, row_, partner_;

    void rotate(MicroOp<T>& op);
    void dense(MicroOp<T>& op) const;
    void phase(MicroOp<T>& op);
    void inner(MicroOp<T>& op) const;
    void read(MicroOp<T>& op) const;
    void before(MicroOp<T>& op) const;
    void limit(MicroOp<T>& op);

    void diagonal(MicroOp<T>& op);
    static complex factor(const Exponent& x) { return factor_of(x.angle, x.log); }
    const Exponent& pair(int a, int b) const { return pair_[size_t(a) * n_ + b]; }
    void take_out(double log);
    void gather(const MicroOp<T>& op);
    complex fold_common(uint64_t common);
    void table(const DiagonalShape& shape, const std::vector<int>& wires, bool with_lanes, Table<T>& out);
    void cross_table(const DiagonalShape& shape, Table<T>& out);
    void outer_phases(MicroOp<T>& op) const;
};

// Whether two circuits differ in numbers alone: same elements on the same wires.
bool same_structure(const Elements& a, const Elements& b);

// Puts the numbers of other elements of the same structure into a program that was laid out to be reusable. The rest as
// for schedule: what differs are numbers.
template <class T>
void refill(Program<T>& program, const Elements& e, const ProductState& start, const Placement* before, const PlanOptions& options);

}  // namespace qrealm
