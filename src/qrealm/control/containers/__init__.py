"""Containers with registers of qubits: what `qdocker` commands.

In the order in which a request meets them:

* `engine` puts the parts together; `context` is what they share, `values` and `reports` what they pass on,
  `asker` is who may go before they have begun.
* `files/` reads configurations and clusters, `short_forms` what Docker's users write short; `asked` has the
  rules for what may be wished, with those of the drivers for specifications; `clusters`, `declaring`,
  `reserving` and `deciding` turn a wish into a place that is written down; `placement/` decides, as pure
  functions.
* `lifecycle` has engines make, run, stop and remove; `driver_pool` and `guarding` hold their connections,
  `naming` tells whom they speak of; `labels` seals what must be known of a container again.
* `registers/` is the physics, as pure functions; `circuits` keeps the registers, `ties` tells and ends what
  hangs together; `messages/` uses the links.
* `balancing`, `moves` and `room` move containers; `nodes` adds, drains and removes engines, `admitting` is
  which may be nodes; `configuring` takes in those of the configuration, `left_out` is which of them stay
  removed; `draining` goes on with drains that were cut off, `removing` with removals.
* `watch` notices what is lost and what comes back, `settling` who has had no time yet to come back,
  `noticing` what ends by itself; `mending`, `reconcile`, `half_made` and `upkeep` put right what was cut off.
* `snapshots` and `taking_over` carry a state elsewhere; `state_document` reads it, `possible` and its parts
  `possible_nodes`, `possible_registers` and `possible_times` say whether it could be.
* `views` shows all of it.
"""
