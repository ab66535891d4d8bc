#pragma once

#include <fstream>
#include <sstream>
#include <string>

#include "tests/temporary_directory.hpp"

namespace monodon::sim {

/// Files in a directory that goes away.
class Scratch {
 public:
    [[nodiscard]] std::string file(const std::string& name) const { return (directory_ / name).string(); }
    [[nodiscard]] std::string write(const std::string& name, const std::string& text) const {
        std::ofstream(file(name)) << text;
        return file(name);
    }
    [[nodiscard]] std::string read(const std::string& name) const {
        std::ostringstream text;
        text << std::ifstream(file(name)).rdbuf();
        return text.str();
    }

 private:
    monodon::test::TemporaryDirectory directory_;
};

}  // namespace monodon::sim
