#pragma once

#include <string>

namespace edgeloop::cli {

/// edgeloop-model describe.
struct DescribeOptions {
    std::string spec;
    bool json = false;
};

/// edgeloop-model check.
struct CheckOptions {
    std::string reference;
    std::string kernels = "all";  ///< fused, plain, library or all
    std::string device = "cpu";   ///< cpu or cuda
};

/// edgeloop-model benchmark.
struct BenchmarkOptions {
    std::string spec;
    std::string input;             ///< e.g. 1x1x16x224x224; empty: one clip as the spec says
    std::string kernels = "auto";  ///< or fused, plain, library
    std::string device = "cpu";    ///< cpu or cuda
    bool mixed_precision = false;
    int threads = 1;
    bool train = false;
    bool json = false;
    int warm_up = 2;
    int repetitions = 10;
};

/// edgeloop-model export.
struct ExportOptions {
    std::string spec;
    std::string weights;  ///< safetensors file; empty: random
    std::string output;
    int batch = 1;
};

/// Each reads the options after the subcommand.
/// @return false when --help, --version or --print-config was answered.
/// @throws ConfigError
[[nodiscard]] bool parse(int argc, const char* const* argv, DescribeOptions& options);
[[nodiscard]] bool parse(int argc, const char* const* argv, CheckOptions& options);
[[nodiscard]] bool parse(int argc, const char* const* argv, BenchmarkOptions& options);
[[nodiscard]] bool parse(int argc, const char* const* argv, ExportOptions& options);

}  // namespace edgeloop::cli
