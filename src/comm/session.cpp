#include "edgeloop/comm/session.hpp"

#include "mpi_calls.hpp"

#include "edgeloop/core/error.hpp"

#include <cstdlib>
#include <exception>
#include <filesystem>
#include <initializer_list>
#include <regex>
#include <sstream>
#include <string>
#include <vector>

namespace edgeloop {
namespace {

/// Value of the first of these environment variables that is set, or nullptr.
const char* first_set(std::initializer_list<const char*> names) {
    for (const char* name : names)
        if (const char* value = std::getenv(name)) return value;
    return nullptr;
}

int number_or_zero(const char* text) { return text == nullptr ? 0 : std::atoi(text); }

/// Whether a mapping policy, e.g. "slot:PE=2:OVERSUBSCRIBE", has the modifier that allows sharing.
bool policy_oversubscribes(const char* policy) {
    static const std::regex modifier("(.*:)?oversubscribe(:.*)?", std::regex::icase);
    return policy != nullptr && std::regex_match(policy, modifier);
}

int node_ranks = 1;

int count_ranks_on_node() {
    MPI_Comm node = MPI_COMM_NULL;
    check_mpi(MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &node),
              "MPI_Comm_split_type");
    int size = 1;
    check_mpi(MPI_Comm_size(node, &size), "MPI_Comm_size");
    MPI_Comm_free(&node);
    return size;
}

bool mpi_is_running() {
    int initialised = 0;
    int finalised = 0;
    MPI_Initialized(&initialised);
    MPI_Finalized(&finalised);
    return initialised != 0 && finalised == 0;
}

}  // namespace

bool launched_by_mpi() {
    return first_set({"OMPI_COMM_WORLD_RANK", "PMIX_RANK", "PMI_RANK"}) != nullptr;
}

int launcher_rank() {
    return number_or_zero(first_set({"OMPI_COMM_WORLD_RANK", "PMIX_RANK", "PMI_RANK"}));
}

int launcher_local_rank() {
    return launched_by_mpi() ? number_or_zero(first_set({"OMPI_COMM_WORLD_LOCAL_RANK",
                                                         "MPI_LOCALRANKID", "SLURM_LOCALID"}))
                             : 0;
}

bool launcher_may_share_cores() {
    if (const char* told = std::getenv("OMPI_MCA_rmaps_base_oversubscribe"))
        if (std::string(told) == "1" || std::string(told) == "true") return true;
    for (const char* policy :
         {"OMPI_MCA_rmaps_base_mapping_policy", "OMPI_MCA_rmaps_default_mapping_policy",
          "PRTE_MCA_rmaps_default_mapping_policy"})
        if (policy_oversubscribes(std::getenv(policy))) return true;
    const int slots = number_or_zero(std::getenv("OMPI_UNIVERSE_SIZE"));
    return slots > 0 && number_or_zero(std::getenv("OMPI_COMM_WORLD_SIZE")) > slots;
}

void claim_cuda_device() {
    std::vector<std::string> devices;
    if (const char* visible = std::getenv("CUDA_VISIBLE_DEVICES")) {
        std::istringstream list(visible);
        for (std::string device; std::getline(list, device, ',');) devices.push_back(device);
    } else {
        while (std::filesystem::exists("/dev/nvidia" + std::to_string(devices.size())))
            devices.push_back(std::to_string(devices.size()));
    }
    if (!launched_by_mpi() || devices.size() < 2) return;
    const auto own = std::size_t(launcher_local_rank()) % devices.size();
    ::setenv("CUDA_VISIBLE_DEVICES", devices[own].c_str(), 1);
}

MpiSession::MpiSession(int& argc, char**& argv) : exceptions_at_start_(std::uncaught_exceptions()) {
    if (!launched_by_mpi()) return;
    // On a node with more ranks than cores Open MPI gives its core away at every empty probe. The
    // waits here sleep between probes; giving away the core as well made messages 100 times slower.
    ::setenv("OMPI_MCA_mpi_yield_when_idle", "0", 0);
    int provided = MPI_THREAD_SINGLE;
    check_mpi(MPI_Init_thread(&argc, &argv, MPI_THREAD_FUNNELED, &provided), "MPI_Init_thread");
    if (provided < MPI_THREAD_FUNNELED)
        throw CommError("the MPI library does not support threads",
                        "edgeloop reads data and talks to the edge in threads of their own",
                        "use an MPI built with at least MPI_THREAD_FUNNELED");
    node_ranks = count_ranks_on_node();
}

MpiSession::~MpiSession() {
    if (mpi_is_running() && std::uncaught_exceptions() == exceptions_at_start_) MPI_Finalize();
}

int MpiSession::ranks_on_node() { return node_ranks; }

Communicator MpiSession::world() const {
    if (!mpi_is_running()) return Communicator();
    return Communicator(std::make_shared<Communicator::Impl>(MPI_COMM_WORLD, false));
}

void MpiSession::abort(int exit_code) {
    if (mpi_is_running()) MPI_Abort(MPI_COMM_WORLD, exit_code);
}

}  // namespace edgeloop
