// Models that jobs are about: brought by searches, kept once, given to the devices that measure.
#include "edgeloop/core/error.hpp"
#include "edgeloop/core/text.hpp"
#include "edgeloop/link/file_store.hpp"
#include "edgeloop/link/job_board.hpp"
#include "edgeloop/link/limits.hpp"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

namespace edgeloop {
namespace {

bool is_among(const std::vector<FileName>& files, const FileName& file) {
    return std::find(files.begin(), files.end(), file) != files.end();
}

}  // namespace

void JobBoard::use_files(const MeasurementJob& job) {
    for (const FileName& file : files_of(job)) ++file_uses_[file];
}

void JobBoard::leave_files(const MeasurementJob& job) {
    for (const FileName& file : files_of(job)) {
        const auto uses = file_uses_.find(file);
        if (uses == file_uses_.end() || --uses->second > 0) continue;
        file_uses_.erase(uses);
        if (FileStore* const files = store_.files()) files->remove(file);
    }
}

/// Whether all that a new job is about is here. If not, the client is asked for it, or told why
/// not.
bool JobBoard::has_files(const Session& from, const Peer& peer, std::uint64_t id,
                         const wire::Submit& message, double now) {
    const auto refuse = [&](const std::string& why) {
        send(from, wire::Refused{why}, id);
        return false;
    };
    std::optional<ModelJob> model;
    try {
        model = ModelJob::of(message.job.spec);
    } catch (const ConfigError& error) {
        return refuse(error.what());
    }
    if (!model) return true;
    FileStore* const store = store_.files();
    if (store == nullptr)
        return refuse("models in files are measured through edgeloop-bridge serve only");
    for (const FileName& file : model->files())
        if (file.bytes == 0 || file.bytes > options_.max_model_bytes)
            return refuse(fmt::format("a file of {} bytes; 1 to {} are taken (--max-model-mib)",
                                      file.bytes, options_.max_model_bytes));
    const std::vector<FileName> files = model->files();
    if (std::all_of(files.begin(), files.end(), [&](const auto& file) { return store->has(file); }))
        return true;
    const UploadKey key{peer.client, id};
    if (uploads_.count(key) == 0 && !open_upload(from, peer, id, message, *model, now))
        return false;
    Upload& upload = uploads_.at(key);
    upload.from = from;
    ask_for_piece(key, upload, now);
    return false;
}

bool JobBoard::open_upload(const Session& from, const Peer& peer, std::uint64_t id,
                           const wire::Submit& message, const ModelJob& model, double now) {
    Upload upload{message, model.files(), from, peer.owner, 0, now, 0};
    for (const FileName& file : upload.files) upload.bytes += file.bytes;
    if (upload.bytes > options_.max_queued_bytes / 2) {
        send(from, wire::Refused{"its files have more bytes than any share (--max-queued-mib)"},
             id);
        return false;
    }
    if (!store_.trouble().empty() || !bytes_.may_take(peer.owner, upload.bytes)) {
        remember_error("share",
                       fmt::format("'{}' has its share: its model has to wait", peer.hello.name),
                       now);
        send(from, wire::Busy{}, id);
        return false;
    }
    bytes_.take(peer.owner, upload.bytes);
    uploads_[{peer.client, id}] = std::move(upload);
    return true;
}

void JobBoard::ask_for_piece(const UploadKey& key, Upload& upload, double now) {
    const FileStore& store = *store_.files();
    for (const FileName& file : upload.files) {
        if (store.has(file)) continue;
        upload.asked = now;
        return send(upload.from, wire::PieceRequest{file, store.received(file, key.first)},
                    key.second);
    }
}

void JobBoard::take_piece(const Session& from, const Peer& peer, std::uint64_t id,
                          const wire::Piece& piece, double now) {
    const UploadKey key{peer.client, id};
    const auto found = uploads_.find(key);
    if (found == uploads_.end() || !is_among(found->second.files, piece.file)) return;
    FileStore& store = *store_.files();
    const auto added = [&] {
        if (piece.bytes.empty()) return FileStore::Added::damaged;
        if (store.has(piece.file)) return FileStore::Added::whole;
        try {
            return store.append(piece.file, key.first, piece.offset, piece.bytes);
        } catch (const IoError&) {
            end_upload(key);
            send(from, wire::Busy{}, id);
            throw;
        }
    }();
    if (added == FileStore::Added::damaged) {
        end_upload(key);
        return send(from, wire::Refused{"a file came that is not the one that was promised"}, id);
    }
    Upload& upload = found->second;
    upload.heard = now;
    const bool is_complete = std::all_of(upload.files.begin(), upload.files.end(),
                                         [&](const FileName& file) { return store.has(file); });
    if (!is_complete) return ask_for_piece(key, upload, now);
    // From here on the job has them in its owner's share.
    const wire::Submit wish = upload.wish;
    bytes_.give_back(upload.owner, std::exchange(upload.bytes, 0));
    submit(from, peer, id, wish, now);
    end_upload(key);
}

/// What a device needs for a job that it was given.
void JobBoard::give_piece(const Session& to, const Peer& peer, std::uint64_t id,
                          const wire::PieceRequest& request, double now) {
    if (!pieces_.spend(peer.owner, wire::max_piece_bytes, now)) return;  // it asks again
    wire::Piece piece{request.file, request.offset, {}};
    const auto found = work_.find(id);
    FileStore* const store = store_.files();
    if (store != nullptr && found != work_.end() && was_given(found->second, peer) &&
        is_among(files_of(found->second.open.job), request.file) &&
        request.offset < request.file.bytes)
        try {
            piece.bytes = store->read(request.file, request.offset, wire::max_piece_bytes);
        } catch (const Error& error) {
            remember_error("model", fmt::format("{:016x}: {}", id, error.what()), now);
        }
    send(to, std::move(piece), id);
}

void JobBoard::end_upload(const UploadKey& key) {
    const auto found = uploads_.find(key);
    if (found == uploads_.end()) return;
    if (found->second.bytes > 0) bytes_.give_back(found->second.owner, found->second.bytes);
    const std::vector<FileName> files = found->second.files;
    uploads_.erase(found);
    for (const FileName& file : files) {
        store_.files()->give_up(file, key.first);
        // One that came whole for a job that was not taken.
        const bool is_wanted =
            file_uses_.count(file) != 0 ||
            std::any_of(uploads_.begin(), uploads_.end(),
                        [&](const auto& other) { return is_among(other.second.files, file); });
        if (!is_wanted) store_.files()->remove(file);
    }
}

void JobBoard::end_uploads_of(std::uint64_t client) {
    std::vector<UploadKey> over;
    for (const auto& [key, upload] : uploads_)
        if (key.first == client) over.push_back(key);
    for (const UploadKey& key : over) end_upload(key);
}

void JobBoard::look_after_uploads(double now) {
    std::vector<UploadKey> over;
    for (auto& [key, upload] : uploads_) {
        if (now - upload.heard > limits::silent_upload_s)
            over.push_back(key);
        else if (now - upload.asked > limits::ask_again_s)  // lost, or dropped: too much was sent
            ask_for_piece(key, upload, now);
    }
    for (const UploadKey& key : over) {
        send(uploads_.at(key).from, wire::Busy{}, key.second);
        end_upload(key);
    }
}

}  // namespace edgeloop
