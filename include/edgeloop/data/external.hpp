#pragma once

namespace edgeloop {

/// What becomes of data that a recording takes from files outside of its own folder: external
/// storage, external links, sources of virtual datasets. A recording could show any file of its
/// reader's that way.
enum class External { refuse, allow };

}  // namespace edgeloop
