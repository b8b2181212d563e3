#pragma once

#include "support/temporary_folder.hpp"

#include "edgeloop/core/atomic_file.hpp"
#include "edgeloop/core/json.hpp"

#include <string>
#include <vector>

namespace edgeloop::test {

/// A run directory made of texts, as a search could have left it.
class MadeUpRun {
  public:
    explicit MadeUpRun(const std::string& objectives, const std::string& name = "run")
        : folder(places_.path(name)) {
        make_directories(folder);
        write("provenance.json", Json{{"identity", {{"objectives", objectives}}}}.dump());
        event(R"("event":"journal","version":2)");
    }

    void write(const std::string& name, const std::string& text) const {
        write_file_atomic(folder + '/' + name, text, Durability::process_crash);
    }
    /// Adds a line to the journal; `fields` follow seq.
    void event(const std::string& fields) {
        journal_ += "{\"seq\":" + std::to_string(events_) +
                    ",\"time_ms\":" + std::to_string(1'000'000 + 1000 * events_) + ',' + fields +
                    ",\"crc\":1}\n";
        ++events_;
        write("journal.jsonl", journal_);
    }
    void raw_line(const std::string& text) {
        journal_ += text;
        write("journal.jsonl", journal_);
    }

  private:
    TemporaryFolder places_;
    std::string journal_;
    int events_ = 0;

  public:
    std::string folder;
};

}  // namespace edgeloop::test
