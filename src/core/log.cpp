#include "edgeloop/core/log.hpp"

#include "edgeloop/core/error.hpp"
#include "edgeloop/core/text.hpp"

#include <memory>
#include <vector>

#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

namespace edgeloop::log {
namespace {

spdlog::level::level_enum spdlog_level(Level level) {
    static_assert(int(Level::debug) == SPDLOG_LEVEL_DEBUG &&
                  int(Level::error) == SPDLOG_LEVEL_ERROR);
    return static_cast<spdlog::level::level_enum>(level);
}

std::shared_ptr<spdlog::logger> make_logger(Level level, const std::string& name,
                                            const std::string& file) {
    std::vector<spdlog::sink_ptr> sinks{std::make_shared<spdlog::sinks::stderr_color_sink_mt>()};
    try {
        if (!file.empty())
            sinks.push_back(std::make_shared<spdlog::sinks::basic_file_sink_mt>(file));
    } catch (const spdlog::spdlog_ex& error) {
        throw IoError("cannot open the log file '" + file + "'", error.what());
    }
    auto logger = std::make_shared<spdlog::logger>("edgeloop", sinks.begin(), sinks.end());
    logger->set_level(spdlog_level(level));
    logger->flush_on(spdlog::level::info);
    logger->set_pattern(name.empty() ? "%H:%M:%S %^%l%$ %v" : "%H:%M:%S %^%l%$ [" + name + "] %v");
    return logger;
}

std::shared_ptr<spdlog::logger>& current() {
    static std::shared_ptr<spdlog::logger> logger = make_logger(Level::info, "", "");
    return logger;
}

}  // namespace

void configure(Level level, const std::string& name, const std::string& file) {
    current() = make_logger(level, name, file);
}

Level level_from(const std::string& name) {
    if (name == "debug") return Level::debug;
    if (name == "info") return Level::info;
    if (name == "warning") return Level::warning;
    if (name == "error") return Level::error;
    throw ConfigError("log level '" + name + "' is unknown", {},
                      "use debug, info, warning or error");
}

// Texts of peers and files are clean since they came in. But errors also name files as they are
// called and say what libraries say, which comes in nowhere: so a line is a line and nothing else
// here, where all of them end.
void write(Level level, const std::string& text) {
    current()->log(spdlog_level(level), printable(text));
}

}  // namespace edgeloop::log
