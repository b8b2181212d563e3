#include "runtime.hpp"

#include "file_runtime.hpp"

#include "edgeloop/architecture/families.hpp"
#include "edgeloop/core/build_info.hpp"

#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace edgeloop {
namespace {

std::vector<Runtimes>& all_runtimes() {
    static std::vector<Runtimes> all;
    return all;
}

}  // namespace

ArchitectureSpec network_of(const Json& spec) {
    try {
        ArchitectureSpec network = ArchitectureSpec::from_json(spec, "job");
        (void)network_of(network);  // what is legal value by value may still be no network
        return network;
    } catch (const ConfigError& error) {
        throw NetworkError(error.problem(), error.why(), error.suggestion());
    }
}

bool add_runtimes(Runtimes added) {
    all_runtimes().push_back(std::move(added));
    return true;
}

std::vector<std::string> runtime_names() {
    std::vector<std::string> names;
    for (const Runtimes& some : all_runtimes())
        names.insert(names.end(), some.names.begin(), some.names.end());
    return names;
}

std::unique_ptr<Runtime> make_runtime(const Json& spec, const MeasurementSettings& settings) {
    if (const auto model = ModelJob::of(spec.dump())) return make_file_runtime(*model, settings);
    if (spec.contains("quantisation") && !runs_low_bits(settings.runtime))
        throw ConfigError(
            fmt::format("the runtime '{}' does not run quantised layers", settings.runtime),
            "it computes in float32, and would time another network",
            "measure with the runtime native");
    for (const Runtimes& some : all_runtimes())
        if (std::find(some.names.begin(), some.names.end(), settings.runtime) != some.names.end())
            return some.make(spec, settings);
    throw ConfigError(
        fmt::format("this agent was built without the runtime '{}'", settings.runtime), {},
        fmt::format("it has {}; edge/README.md says what others need",
                    fmt::join(runtime_names(), ", ")));
}

Json describe_runtimes() {
    Json record = Json::object();
    for (const Runtimes& some : all_runtimes()) some.describe(record);
    if (record.contains("native") && !record.contains("name")) {
        record["name"] = "native";
        record["version"] = version();
    }
    return record;
}

void prepare_runtimes(const MeasurementSettings& settings) {
    for (const Runtimes& some : all_runtimes())
        if (some.prepare) some.prepare(settings);
}

void start_runtimes(char** argv) {
    for (const Runtimes& some : all_runtimes())
        if (some.at_start != nullptr) some.at_start(argv);
}

}  // namespace edgeloop
