#include "dag/planted.hpp"

namespace monodon::dag {

namespace {

Planted chosen = Planted::none;

}  // namespace

bool planted(Planted fault) { return fault == chosen; }

void plant(Planted fault) { chosen = fault; }

}  // namespace monodon::dag
