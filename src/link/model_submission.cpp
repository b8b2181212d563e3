#include "edgeloop/link/model_submission.hpp"

#include "link/dialer.hpp"
#include "link/fit.hpp"

#include "edgeloop/core/atomic_file.hpp"
#include "edgeloop/core/clock.hpp"
#include "edgeloop/core/error.hpp"

#include <map>
#include <memory>

namespace edgeloop {
namespace {

constexpr double busy_pause_s = 2, submit_again_s = 10, max_wait_s = 0.2;

class Submitter {
  public:
    explicit Submitter(const ModelSubmission& submission)
        : submission_(submission),
          id_(request_id(submission.job)),
          dialer_(std::make_shared<ZmqContext>(), {submission.address,
                                                   {wire::Role::client,
                                                    wire::fit_name(submission.name),
                                                    random_bits(),
                                                    submission.job.device_class,
                                                    {}},
                                                   2}) {
        // The bytes that were described are those that are sent, whatever becomes of the files.
        for (const std::string& path : {submission.files.model, submission.files.vectors}) {
            if (path.empty()) continue;
            std::string bytes = read_file(path);
            const FileName name = FileName::of(bytes);
            files_[name] = std::move(bytes);
        }
    }

    std::optional<MeasurementResult> run(bool wait, const std::function<bool()>& give_up) {
        while (!give_up()) {
            const double now = steady_seconds();
            if (dialer_.take_opened()) next_submit_ = now;
            if (dialer_.up() && next_submit_ != 0 && now >= next_submit_) {
                dialer_.send(wire::Submit{submission_.job, 0}, id_);
                next_submit_ = now + submit_again_s;
            }
            for (const wire::Packet& packet : dialer_.exchange(max_wait_s))
                if (packet.request == id_) take(packet, steady_seconds());
            if (result_ || (accepted_ && !wait)) break;
        }
        // What is accepted goes on without this client.
        dialer_.shut_down();
        return result_;
    }

  private:
    void take(const wire::Packet& packet, double now) {
        if (std::holds_alternative<wire::Accepted>(packet.message)) {
            accepted_ = true;
            next_submit_ = 0;
        } else if (std::holds_alternative<wire::Busy>(packet.message)) {
            next_submit_ = now + busy_pause_s;
        } else if (const auto* asked = std::get_if<wire::PieceRequest>(&packet.message)) {
            give(*asked, now);
        } else if (const auto* refused = std::get_if<wire::Refused>(&packet.message)) {
            throw ConfigError("the bridge does not take it", refused->reason);
        } else if (const auto* result = std::get_if<wire::Result>(&packet.message)) {
            dialer_.send(wire::ResultAck{}, id_);
            result_ = result->result;
            if (refuse_impossible(*result_, &submission_.job, result_->device))
                result_->status = Status::lost;
            if (!result_->record.empty()) result_->record = sound_record(result_->record);
        }
    }

    void give(const wire::PieceRequest& asked, double now) {
        const auto file = files_.find(asked.file);
        wire::Piece piece{asked.file, asked.offset, {}};
        if (file != files_.end() && asked.offset < file->second.size())
            piece.bytes = file->second.substr(asked.offset, wire::max_piece_bytes);
        dialer_.send(std::move(piece), id_);
        next_submit_ = now + submit_again_s;  // while it asks it has not forgotten the job
    }

    const ModelSubmission& submission_;
    std::uint64_t id_;
    Dialer dialer_;
    std::map<FileName, std::string> files_;
    double next_submit_ = 0;  ///< 0: it is accepted
    bool accepted_ = false;
    std::optional<MeasurementResult> result_;
};

}  // namespace

std::optional<MeasurementResult> submit_model(const ModelSubmission& submission, bool wait,
                                              const std::function<bool()>& give_up) {
    return Submitter(submission).run(wait, give_up);
}

}  // namespace edgeloop
