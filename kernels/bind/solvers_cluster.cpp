// The kernel of a running cluster, for Python.
#include <nanobind/stl/vector.h>

#include "../optimize/cluster.h"
#include "solvers.h"

namespace qrealm {
namespace {

using cluster::Cluster;
using cluster::Decisions;

nb::dict to_dict(Decisions&& d) {
    nb::dict out;
    out["item"] = to_numpy(std::move(d.item));
    out["from"] = to_numpy(std::move(d.from));
    out["chosen"] = to_numpy(std::move(d.chosen));
    out["kind"] = to_numpy(std::move(d.kind));
    out["evicted_by"] = to_numpy(std::move(d.evicted_by));
    out["change"] = to_numpy(std::move(d.change));
    out["candidate"] = to_numpy(std::move(d.candidate));
    out["evicts"] = to_numpy(std::move(d.evicts));
    out["parts"] = to_numpy(std::move(d.parts));
    out["refused"] = to_numpy(std::move(d.refused));
    out["victim_start"] = to_numpy(std::move(d.victim_start));
    out["victims"] = to_numpy(std::move(d.victims));
    out["nearest"] = to_numpy(std::move(d.nearest));
    out["lack"] = to_numpy(std::move(d.lack));
    return out;
}

nb::dict place(Cluster& self, const std::vector<int32_t>& items, bool evict) {
    Decisions out;
    {
        nb::gil_scoped_release release;
        self.place(items, evict, out);
    }
    return to_dict(std::move(out));
}

nb::dict rebalance(Cluster& self, int64_t moves_max, double gain_min, double seconds) {
    Decisions out;
    {
        nb::gil_scoped_release release;
        self.rebalance(moves_max, gain_min, seconds, out);
    }
    return to_dict(std::move(out));
}

void bind_cluster(nb::module_& m) {
    nb::class_<Cluster>(m, "Cluster")
        .def("__init__",
             [](Cluster* self, int resources, Vector<double> w, int candidates) {
                 new (self) Cluster(resources, {w(0), w(1), w(2), w(3), w(4)}, candidates);
             })
        .def("add_bins",
             [](Cluster& self, Matrix<double> capacity, Vector<double> cost, Vector<uint64_t> rank,
                Matrix<uint8_t> allowed) {
                 self.add_bins(int(cost.shape(0)), capacity.data(), cost.data(), rank.data(), allowed.data());
             })
        .def("add_set", [](Cluster& self, Vector<uint8_t> allowed) { return self.add_set(allowed.data()); })
        .def("remove_bins", &Cluster::remove_bins)
        .def("close_bin", &Cluster::close_bin)
        .def("add_rule",
             [](Cluster& self, int kind, bool hard, double weight, int64_t skew, Vector<int32_t> domains) {
                 return self.add_rule(cluster::RuleKind(kind), hard, weight, skew, domains.data());
             })
        .def("set_domains",
             [](Cluster& self, int32_t rule, Vector<int32_t> domains) { self.set_domains(rule, domains.data()); })
        .def("add_class",
             [](Cluster& self, Vector<double> demand, int32_t set, std::vector<int32_t> rules) {
                 return self.add_class(demand.data(), set, std::move(rules));
             })
        .def("add_items",
             [](Cluster& self, Vector<int32_t> classes, Vector<int32_t> priorities, Vector<double> weights,
                Vector<double> move_prices) {
                 return self.add_items(int(classes.shape(0)), classes.data(), priorities.data(), weights.data(),
                                       move_prices.data());
             })
        .def("begin", &Cluster::begin)
        .def("put",
             [](Cluster& self, Vector<int32_t> items, Vector<int32_t> bins) {
                 for (size_t i = 0; i < items.shape(0); ++i) self.put(items(i), bins(i));
             })
        .def("take",
             [](Cluster& self, Vector<int32_t> items) {
                 for (size_t i = 0; i < items.shape(0); ++i)
                     if (self.where(items(i)) >= 0) self.take(items(i));
             })
        .def("place", &place)
        .def("rebalance", &rebalance)
        .def("where_of", [](const Cluster& self, int32_t item) { return self.where(item); })
        .def("where", [](const Cluster& self) { return to_numpy(std::vector<int32_t>(self.where())); })
        .def("items_of", [](const Cluster& self, int32_t bin) { return std::vector<int32_t>(self.items_of(bin)); })
        .def("check", &Cluster::check);
}

const Registration registration(bind_cluster);

}  // namespace
}  // namespace qrealm
