#pragma once

namespace edgeloop::apps {

/// edgeloop-search on this rank: rank 0 leads the search, every other rank trains. @return exit
/// code.
[[nodiscard]] int search_main(int& argc, char**& argv);

}  // namespace edgeloop::apps
