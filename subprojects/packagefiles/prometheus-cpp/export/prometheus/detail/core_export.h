#pragma once
// A static library exports nothing; the package's own build generates this header.
#define PROMETHEUS_CPP_CORE_EXPORT
#define PROMETHEUS_CPP_CORE_NO_EXPORT
