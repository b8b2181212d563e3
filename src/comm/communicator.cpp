#include "edgeloop/comm/communicator.hpp"

#include "mpi_calls.hpp"

#include "edgeloop/core/clock.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/core/hash.hpp"
#include "edgeloop/core/json.hpp"

#include <algorithm>
#include <limits>
#include <numeric>
#include <utility>

namespace edgeloop {
namespace {

/// MPI counts are int: longer buffers travel in pieces of this many values.
constexpr std::size_t piece_values = std::size_t(1) << 28;

/// Calls body(first, count) for each piece of a buffer.
template <class Body>
void for_each_piece(std::size_t count, const Body& body) {
    for (std::size_t first = 0; first < count; first += piece_values)
        body(first, int(std::min(piece_values, count - first)));
}

/// Begins something that does not block, by `start`, and completes it as wait_request().
template <class Start>
void complete(const char* call, const Start& start, double poll_s = 0) {
    MPI_Request request = MPI_REQUEST_NULL;
    check_mpi(start(&request), call);
    wait_request(request, poll_s);
}

/// As they are: all ranks run the same program on the same kind of processor.
void broadcast_bytes(const Communicator::Impl& impl, void* bytes, std::size_t count, int root) {
    if (impl.alone()) return;
    for_each_piece(count, [&](std::size_t first, int length) {
        complete("MPI_Ibcast", [&](MPI_Request* request) {
            return MPI_Ibcast(static_cast<char*>(bytes) + first, length, MPI_BYTE, root,
                              impl.handle, request);
        });
    });
}

/// The parts of an error, as they travel to the other ranks.
std::string report_of(ExitCode code, const std::string& problem, const std::string& why = {},
                      const std::string& suggestion = {}) {
    return Json{int(code), problem, why, suggestion}.dump(-1, ' ', false,
                                                          Json::error_handler_t::replace);
}

/// Throws what another rank reported as an error of the same class.
[[noreturn]] void throw_reported(const std::string& where, const std::string& report) {
    const Json parts = parse_kept_json(report);
    const std::string problem = where + parts.at(1).get<std::string>(), why = parts.at(2),
                      suggestion = parts.at(3);
    switch (ExitCode(parts.at(0).get<int>())) {
        case ExitCode::bad_input:
            throw ConfigError(problem, why, suggestion);
        case ExitCode::environment:
            throw CommError(problem, why, suggestion);
        case ExitCode::corrupt_state:
            throw CorruptState(problem, why, suggestion);
        case ExitCode::stopped:
            throw Stopped(problem, why, suggestion);
        default:
            throw LogicError(problem, why, suggestion);
    }
}

/// Runs the phase and keeps what it threw, as a report and as itself.
std::exception_ptr capture(const std::function<void()>& phase, std::string& report) {
    try {
        phase();
        return nullptr;
    } catch (const Error& error) {
        report = report_of(error.exit_code(), error.problem(), error.why(), error.suggestion());
        return std::current_exception();
    } catch (const std::exception& error) {
        report = report_of(ExitCode::bug, error.what());
        return std::current_exception();
    }
}

}  // namespace

struct PendingSum::Impl {
    MPI_Request request = MPI_REQUEST_NULL;
};

PendingSum::PendingSum(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
PendingSum::PendingSum(PendingSum&&) noexcept = default;
PendingSum& PendingSum::operator=(PendingSum&&) noexcept = default;

PendingSum::~PendingSum() {
    if (impl_ && impl_->request != MPI_REQUEST_NULL) MPI_Wait(&impl_->request, MPI_STATUS_IGNORE);
}

bool PendingSum::done() {
    if (impl_->request == MPI_REQUEST_NULL) return true;
    int finished = 0;
    check_mpi(MPI_Test(&impl_->request, &finished, MPI_STATUS_IGNORE), "MPI_Test");
    return finished != 0;
}

void PendingSum::wait() {
    if (impl_->request != MPI_REQUEST_NULL) wait_request(impl_->request, pressing_s);
}

Communicator::Communicator() : impl_(std::make_shared<Impl>()) {}
Communicator::Communicator(std::shared_ptr<const Impl> impl) : impl_(std::move(impl)) {}

int Communicator::rank() const { return impl_->rank; }
int Communicator::size() const { return impl_->size; }

std::optional<Communicator> Communicator::split(int colour) const {
    if (impl_->handle == MPI_COMM_NULL)
        return colour < 0 ? std::nullopt : std::optional(Communicator());
    MPI_Comm part = MPI_COMM_NULL;
    check_mpi(MPI_Comm_split(impl_->handle, colour < 0 ? MPI_UNDEFINED : colour, rank(), &part),
              "MPI_Comm_split");
    if (part == MPI_COMM_NULL) return std::nullopt;
    return Communicator(std::make_shared<Impl>(part, true));
}

void Communicator::broadcast(std::string& bytes, int root) const {
    if (impl_->alone()) return;
    std::size_t length = bytes.size();
    broadcast_bytes(*impl_, &length, sizeof length, root);
    bytes.resize(length);
    broadcast_bytes(*impl_, bytes.data(), length, root);
}

void Communicator::broadcast(float* values, std::size_t count, int root) const {
    broadcast_bytes(*impl_, values, count * sizeof(float), root);
}

void Communicator::all_reduce(double* values, std::size_t count, Reduction reduction) const {
    if (impl_->alone()) return;
    const MPI_Op operation = reduction == Reduction::sum ? MPI_SUM : MPI_MAX;
    for_each_piece(count, [&](std::size_t first, int length) {
        complete(
            "MPI_Iallreduce",
            [&](MPI_Request* request) {
                return MPI_Iallreduce(MPI_IN_PLACE, values + first, length, MPI_DOUBLE, operation,
                                      impl_->handle, request);
            },
            eager_s);
    });
}

double Communicator::all_reduce(double value, Reduction reduction) const {
    all_reduce(&value, 1, reduction);
    return value;
}

std::vector<std::string> Communicator::all_gather(std::string_view bytes) const {
    if (impl_->alone()) return {std::string(bytes)};
    std::vector<int> lengths(std::size_t(size()), 0);
    const int length = int(bytes.size());
    complete("MPI_Iallgather", [&](MPI_Request* request) {
        return MPI_Iallgather(&length, 1, MPI_INT, lengths.data(), 1, MPI_INT, impl_->handle,
                              request);
    });

    std::vector<int> offsets(lengths.size(), 0);
    std::partial_sum(lengths.begin(), lengths.end() - 1, offsets.begin() + 1);
    std::string all(std::size_t(offsets.back() + lengths.back()), '\0');
    complete(
        "MPI_Iallgatherv",
        [&](MPI_Request* request) {
            return MPI_Iallgatherv(bytes.data(), length, MPI_CHAR, all.data(), lengths.data(),
                                   offsets.data(), MPI_CHAR, impl_->handle, request);
        },
        eager_s);

    std::vector<std::string> result;
    for (std::size_t r = 0; r < lengths.size(); ++r)
        result.push_back(all.substr(std::size_t(offsets[r]), std::size_t(lengths[r])));
    return result;
}

PendingSum Communicator::start_sum(float* values, std::size_t count) const {
    EDGELOOP_EXPECT(count <= piece_values, "one pending sum holds at most 2^28 values");
    auto pending = std::make_unique<PendingSum::Impl>();
    if (!impl_->alone())
        check_mpi(MPI_Iallreduce(MPI_IN_PLACE, values, int(count), MPI_FLOAT, MPI_SUM,
                                 impl_->handle, &pending->request),
                  "MPI_Iallreduce");
    return PendingSum(std::move(pending));
}

void Communicator::send(int destination, int tag, std::string_view bytes) const {
    EDGELOOP_EXPECT(impl_->handle != MPI_COMM_NULL, "a process alone has nobody to send to");
    EDGELOOP_EXPECT(bytes.size() <= std::size_t(std::numeric_limits<int>::max()),
                    "message longer than MPI can count");
    impl_->drop_completed_sends();
    OutgoingMessage& message = impl_->outgoing.emplace_back();
    message.bytes = bytes;
    check_mpi(MPI_Isend(message.bytes.data(), int(message.bytes.size()), MPI_CHAR, destination, tag,
                        impl_->handle, &message.request),
              "MPI_Isend");
}

std::optional<ReceivedMessage> Communicator::try_receive() const {
    if (impl_->handle == MPI_COMM_NULL) return std::nullopt;
    int here = 0;
    MPI_Message message = MPI_MESSAGE_NULL;
    MPI_Status status{};
    // Open MPI looks before it takes in what has arrived: the first probe fetches the message that
    // the second one finds. Left to the next call, every message would wait for one more sleep.
    for (int probe = 0; probe < 2 && here == 0; ++probe)
        check_mpi(MPI_Improbe(MPI_ANY_SOURCE, MPI_ANY_TAG, impl_->handle, &here, &message, &status),
                  "MPI_Improbe");
    if (here == 0) return std::nullopt;
    int length = 0;
    check_mpi(MPI_Get_count(&status, MPI_CHAR, &length), "MPI_Get_count");
    ReceivedMessage received{status.MPI_SOURCE, status.MPI_TAG,
                             std::string(std::size_t(length), '\0')};
    check_mpi(MPI_Mrecv(received.bytes.data(), length, MPI_CHAR, &message, MPI_STATUS_IGNORE),
              "MPI_Mrecv");
    return received;
}

ReceivedMessage Communicator::receive() const {
    EDGELOOP_EXPECT(impl_->handle != MPI_COMM_NULL, "a process alone has nobody to hear from");
    BackOff pause;
    for (;;) {
        if (auto message = try_receive()) return *std::move(message);
        pause.wait();
    }
}

bool Communicator::flush(double seconds) const {
    const double until = steady_seconds() + seconds;
    BackOff pause;
    for (;;) {
        impl_->drop_completed_sends();
        if (impl_->outgoing.empty()) return true;
        if (steady_seconds() > until) return false;
        pause.wait();
    }
}

bool Communicator::is_same_on_all_ranks(std::string_view bytes) const {
    const std::vector<std::string> digests = all_gather(digest(bytes).hex());
    return std::all_of(digests.begin(), digests.end(),
                       [&](const std::string& other) { return other == digests.front(); });
}

void Communicator::agree(const std::string& what, const std::function<void()>& phase) const {
    if (impl_->alone()) return phase();
    std::string own;
    const std::exception_ptr thrown = capture(phase, own);
    if (all_reduce(thrown ? 1 : 0, Reduction::max) == 0) return;
    const std::vector<std::string> reports = all_gather(own);
    if (thrown) std::rethrow_exception(thrown);
    const auto failed = std::find_if(reports.begin(), reports.end(),
                                     [](const std::string& report) { return !report.empty(); });
    throw_reported(what + " failed on rank " + std::to_string(failed - reports.begin()) + ": ",
                   *failed);
}

}  // namespace edgeloop
