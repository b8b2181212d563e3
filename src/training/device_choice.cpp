#include "device_choice.hpp"

#include "edgeloop/comm/binding.hpp"
#include "edgeloop/comm/session.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/core/json.hpp"

#include <array>
#include <cstdint>
#include <vector>

#include <dlfcn.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <torch/torch.h>
#include <torch/version.h>

namespace edgeloop {

NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(RankDevice, trains, has_cuda, host, model);

namespace {

/// From CUDA's driver, which LibTorch has loaded: LibTorch's own interface has no names without
/// CUDA's headers.
std::string cuda_model(int index) {
    std::array<char, 256> name{};
    void* const driver = ::dlopen("libcuda.so.1", RTLD_LAZY);
    if (driver != nullptr) {
        using GetDevice = int (*)(int*, int);
        using GetName = int (*)(char*, int, int);
        const auto get_device = reinterpret_cast<GetDevice>(::dlsym(driver, "cuDeviceGet"));
        const auto get_name = reinterpret_cast<GetName>(::dlsym(driver, "cuDeviceGetName"));
        int device = 0;
        if (get_device == nullptr || get_name == nullptr || get_device(&device, index) != 0 ||
            get_name(name.data(), int(name.size()) - 1, device) != 0)
            name[0] = '\0';
        ::dlclose(driver);
    }
    return name[0] == '\0' ? "unknown model" : name.data();
}

RankDevice device_of_this_rank(Device wanted, bool trains) {
    RankDevice own;
    own.trains = trains;
    own.host = this_binding().host;
    if (!trains || wanted == Device::cpu || !torch::cuda::is_available()) return own;
    own.has_cuda = true;
    own.model = cuda_model(choose_device(Device::cuda).index());
    return own;
}

/// @throws ConfigError  the settings do not fit the device that they led to.
void check_fit(const TrainingSettings& settings, torch::DeviceType device) {
    (void)kernels_for(settings, device);
    if (settings.mixed_precision && device == torch::kCPU && settings.device != Device::cpu)
        throw ConfigError("mixed precision was asked for, but LibTorch sees no CUDA device",
                          "few CPUs gain from it",
                          "drop --mixed-precision, or add --device cpu to compute in bfloat16 on "
                          "the CPU nevertheless");
}

}  // namespace

torch::Device choose_device(Device wanted) {
    if (wanted == Device::cpu) return torch::kCPU;
    if (!torch::cuda::is_available()) {
        if (wanted == Device::automatic) return torch::kCPU;
        throw ConfigError("a CUDA device was asked for but LibTorch " TORCH_VERSION " sees none",
                          {}, "use the device 'cpu' or a LibTorch built for CUDA");
    }
    const auto devices = int(torch::cuda::device_count());
    return torch::Device(torch::kCUDA, std::int8_t(launcher_local_rank() % devices));
}

Kernels kernels_for(const TrainingSettings& settings, torch::Device device) {
    if (!settings.kernels) return device.is_cpu() ? Kernels::fused : Kernels::library;
    if (*settings.kernels == Kernels::fused && !device.is_cpu())
        throw ConfigError("the fused kernels are for CPUs", "networks are trained on CUDA",
                          "use --kernels auto, library or plain");
    return *settings.kernels;
}

torch::Device checked_device(const TrainingSettings& settings) {
    const torch::Device device = choose_device(settings.device);
    check_fit(settings, device.type());
    return device;
}

std::string TrainingDevices::description() const {
    std::vector<std::string> models;
    for (const auto& [model, ranks] : ranks_by_model)
        models.push_back(fmt::format("{} ({} rank{})", model, ranks, ranks == 1 ? "" : "s"));
    return fmt::format("{}{}", device == Device::cuda ? "CUDA: " : "", fmt::join(models, ", "));
}

TrainingDevices decide_devices(const TrainingSettings& settings,
                               const std::vector<RankDevice>& ranks) {
    TrainingDevices devices;
    std::vector<std::string> with, without;
    for (std::size_t rank = 0; rank < ranks.size(); ++rank) {
        if (!ranks[rank].trains) continue;
        ++devices.ranks_by_model[ranks[rank].model];
        (ranks[rank].has_cuda ? with : without)
            .push_back(fmt::format("rank {} on {}", rank, ranks[rank].host));
    }
    const bool wants_cpu = settings.device == Device::cpu;
    if (!wants_cpu && !without.empty() && (!with.empty() || settings.device == Device::cuda))
        throw ConfigError(
            fmt::format("LibTorch sees no CUDA device on {}", fmt::join(without, ", ")),
            with.empty() ? std::string() : fmt::format("it sees one on {}", fmt::join(with, ", ")),
            with.empty() ? "use --device cpu, or a LibTorch built for CUDA where there is a driver"
                         : "leave those ranks out, or use --device cpu for all");
    devices.device = wants_cpu || with.empty() ? Device::cpu : Device::cuda;
    check_fit(settings, devices.device == Device::cpu ? torch::kCPU : torch::kCUDA);
    return devices;
}

TrainingDevices agree_on_devices(const Communicator& world, const TrainingSettings& settings,
                                 bool trains) {
    std::vector<RankDevice> ranks;
    const Json own = device_of_this_rank(settings.device, trains);
    for (const std::string& text : world.all_gather(own.dump()))
        ranks.push_back(parse_kept_json(text).get<RankDevice>());
    return decide_devices(settings, ranks);
}

}  // namespace edgeloop
