#include "training/device_choice.hpp"

#include "edgeloop/core/error.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/torch.h>

namespace edgeloop::device_choice_test {
namespace {

using testing::HasSubstr;

const RankDevice coordinator{false, false, "node1"};
const RankDevice gpu{true, true, "node1", "NVIDIA H200"};
const RankDevice cpu{true, false, "node2"};

TrainingSettings on(Device device) {
    TrainingSettings settings;
    settings.device = device;
    return settings;
}

std::string refusal(const TrainingSettings& settings, const std::vector<RankDevice>& ranks) {
    try {
        (void)decide_devices(settings, ranks);
    } catch (const ConfigError& error) {
        return error.what();
    }
    return {};
}

TEST(DeviceChoice, RanksTrainOnTheSame) {
    const TrainingDevices gpus = decide_devices(on(Device::automatic), {coordinator, gpu, gpu});
    EXPECT_EQ(gpus.device, Device::cuda);
    EXPECT_EQ(gpus.description(), "CUDA: NVIDIA H200 (2 ranks)");
    const TrainingDevices none = decide_devices(on(Device::automatic), {coordinator, cpu});
    EXPECT_EQ(none.device, Device::cpu);
    EXPECT_EQ(none.description(), "CPU (1 rank)");
    EXPECT_EQ(decide_devices(on(Device::cpu), {cpu, cpu}).device, Device::cpu);
}

TEST(DeviceChoice, NoRankFallsBackAlone) {
    for (const Device wanted : {Device::automatic, Device::cuda}) {
        const std::string said = refusal(on(wanted), {coordinator, gpu, cpu, gpu});
        EXPECT_THAT(said, HasSubstr("no CUDA device on rank 2 on node2"));
        EXPECT_THAT(said, HasSubstr("rank 1 on node1, rank 3 on node1"));
        EXPECT_THAT(said, HasSubstr("--device cpu"));
    }
    EXPECT_THAT(refusal(on(Device::cuda), {coordinator, cpu}), HasSubstr("rank 1 on node2"));
    EXPECT_EQ(refusal(on(Device::automatic), {cpu, coordinator, cpu}), "");
}

TEST(DeviceChoice, SettingsFitTheDevice) {
    TrainingSettings mixed = on(Device::automatic);
    mixed.mixed_precision = true;
    EXPECT_EQ(refusal(mixed, {gpu}), "");
    EXPECT_THAT(refusal(mixed, {cpu}), HasSubstr("add --device cpu"));
    mixed.device = Device::cpu;
    EXPECT_EQ(refusal(mixed, {cpu}), "");
    TrainingSettings fused = on(Device::automatic);
    fused.kernels = Kernels::fused;
    EXPECT_EQ(refusal(fused, {cpu}), "");
    EXPECT_THAT(refusal(fused, {gpu}), HasSubstr("fused kernels are for CPUs"));
}

TEST(DeviceChoice, KernelsFollowTheDevice) {
    EXPECT_EQ(kernels_for(TrainingSettings(), torch::kCPU), Kernels::fused);
    EXPECT_EQ(kernels_for(TrainingSettings(), torch::kCUDA), Kernels::library);
    TrainingSettings chosen;
    chosen.kernels = Kernels::plain;
    EXPECT_EQ(kernels_for(chosen, torch::kCUDA), Kernels::plain);
}

}  // namespace
}  // namespace edgeloop::device_choice_test
