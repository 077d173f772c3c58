// How a solver's kernel comes into the Python module qrealm._solvers: its own file in kernels/bind holds a Registration.
#pragma once
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <vector>

namespace qrealm {

namespace nb = nanobind;

template <class T>
using Vector = nb::ndarray<const T, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
template <class T>
using Matrix = nb::ndarray<const T, nb::ndim<2>, nb::c_contig, nb::device::cpu>;

template <class T>
nb::ndarray<nb::numpy, T> to_numpy(std::vector<T>&& values) {
    auto* kept = new std::vector<T>(std::move(values));
    nb::capsule owner(kept, [](void* p) noexcept { delete static_cast<std::vector<T>*>(p); });
    const size_t size = kept->size();
    return nb::ndarray<nb::numpy, T>(kept->data(), {size}, owner);
}

using Bind = void (*)(nb::module_&);

inline std::vector<Bind>& registrations() {
    static std::vector<Bind> all;
    return all;
}

struct Registration {
    explicit Registration(Bind bind) { registrations().push_back(bind); }
};

}  // namespace qrealm
