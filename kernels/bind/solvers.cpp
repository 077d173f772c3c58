// The Python module qrealm._solvers: kernels of the optimization solvers.
#include "solvers.h"

NB_MODULE(_solvers, m) {
    m.doc() = "qrealm's compiled optimization kernels.";
    for (qrealm::Bind bind : qrealm::registrations()) bind(m);
}
