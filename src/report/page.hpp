#pragma once

namespace edgeloop::report {

/// The files of src/report/page and ECharts, built in.
struct PageParts {
    const char* html;     ///< with @STYLE@ and the like where the others go
    const char* style;    ///< CSS
    const char* script;   ///< the modules of the page, one after the other
    const char* library;  ///< ECharts
};
[[nodiscard]] const PageParts& page_parts();

}  // namespace edgeloop::report
