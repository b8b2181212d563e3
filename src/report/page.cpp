#include "report/page.hpp"

#include "report/document.hpp"

#include "edgeloop/core/error.hpp"
#include "edgeloop/report/report.hpp"

#include <string_view>
#include <utility>

namespace edgeloop::report {
namespace {

std::string escaped(const std::string& text) {
    std::string out;
    for (const char c : text) {
        switch (c) {
            case '&':
                out += "&amp;";
                break;
            case '<':
                out += "&lt;";
                break;
            case '>':
                out += "&gt;";
                break;
            case '"':
                out += "&quot;";
                break;
            case '\'':
                out += "&#39;";
                break;
            default:
                out += c;
        }
    }
    return out;
}

}  // namespace

std::string page(const RunView& run, const std::vector<RunView>& others,
                 const PageOptions& options) {
    const PageParts& parts = page_parts();
    const std::string data = document(run, others, options), title = escaped(run.name);
    const std::pair<std::string_view, std::string_view> places[] = {{"@TITLE@", title},
                                                                    {"@STYLE@", parts.style},
                                                                    {"@LIBRARY@", parts.library},
                                                                    {"@SCRIPT@", parts.script},
                                                                    {"@DATA@", data}};
    const std::string_view html = parts.html;
    std::string out;
    std::size_t at = 0;
    for (const auto& [place, text] : places) {  // in this order in the file
        const std::size_t found = html.find(place, at);
        EDGELOOP_EXPECT(found != std::string_view::npos, "page.html has a place for each part");
        out += html.substr(at, found - at);
        out += text;
        at = found + place.size();
    }
    out += html.substr(at);
    return out;
}

}  // namespace edgeloop::report
