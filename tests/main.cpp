// The one Catch2 main of every test program: compiled once, at -O0.
#define CATCH_CONFIG_MAIN
#include <catch2/catch.hpp>
