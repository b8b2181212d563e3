#include "link/fit.hpp"

#include "edgeloop/core/error.hpp"
#include "edgeloop/core/json.hpp"
#include "edgeloop/core/log.hpp"
#include "edgeloop/link/messages.hpp"

#include <algorithm>
#include <cmath>
#include <iterator>

namespace edgeloop {

void fit_to_limits(MeasurementResult& result) {
    std::replace_if(
        result.reason.begin(), result.reason.end(),
        [](unsigned char c) { return c < 0x20 || c > 0x7e; }, ' ');
    if (result.reason.size() > wire::max_text_bytes) result.reason.resize(wire::max_text_bytes);
    for (auto metric = result.metrics.begin(); metric != result.metrics.end();)
        metric = std::isfinite(metric->second) ? std::next(metric) : result.metrics.erase(metric);
    while (result.metrics.size() > wire::max_metrics)
        result.metrics.erase(std::prev(result.metrics.end()));
    if (result.record.size() > wire::max_document_bytes || !is_utf8(result.record))
        result.record = "{}";
    if (!std::isfinite(result.seconds)) result.seconds = 0;
}

bool is_utf8(const std::string& text) {
    try {
        (void)Json(text).dump();  // refuses anything else
        return true;
    } catch (const Json::type_error&) {
        return false;
    }
}

std::string printable(std::string text) {
    std::replace_if(
        text.begin(), text.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; }, ' ');
    return text;
}

std::string sound_record(const std::string& text) {
    try {
        const Json record = parse_json(text, "device record");
        if (record.is_object()) return record.dump();
    } catch (const ConfigError& error) {
        log::warning("{}", error.what());
    }
    return "{}";
}

}  // namespace edgeloop
