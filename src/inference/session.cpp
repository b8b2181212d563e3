#include "edgeloop/inference/session.hpp"

#include "inference/plan.hpp"
#include "inference/team.hpp"

#include "edgeloop/core/error.hpp"

#include <cstring>

namespace edgeloop::inference {

struct Session::Impl {
    Impl(Graph graph, const SessionOptions& options)
        : kernels(kernels_of(options.instructions)),
          plan(make_plan(std::move(graph), options)),
          team(options.threads, options.cpus) {
        for (int i = 0; i < team.size(); ++i)
            scratch.push_back(aligned_memory(plan->scratch_bytes + slack_bytes));
        const Json& metadata = plan->graph.metadata;
        const auto clip = metadata.find("normalisation");
        if (!plan->graph.input_elements.are_real() && clip != metadata.end())
            inverse_scale = static_cast<float>(1 / input_scale(clip->value("deviation", 1.0)));
    }

    void run(float* result) {
        team.run([](void* self, int thread) { static_cast<Impl*>(self)->run_share(thread); }, this);
        const Place& last = plan->places.back();
        for (int t = 0; t < last.shape.grid[0]; ++t)
            for (int h = 0; h < last.shape.grid[1]; ++h, result += last.row_elements())
                std::memcpy(result, last.real(t, h),
                            static_cast<std::size_t>(last.row_elements()) * sizeof(float));
    }

    void run_share(int thread) {
        const std::int64_t threads = team.size();
        std::byte* const own = scratch[static_cast<std::size_t>(thread)].get();
        for (const auto& step : plan->steps) {
            const std::int64_t tasks = step->tasks();
            const auto end = static_cast<int>(tasks * (thread + 1) / threads);
            for (auto task = static_cast<int>(tasks * thread / threads); task < end; ++task)
                step->run(task, own);
            team.meet();
        }
    }

    /// Rows of the clip to their place.
    template <class Copy>
    void take(const Copy& copy) const {
        const Place& clip = plan->places.front();
        std::ptrdiff_t from = 0;
        for (int t = 0; t < clip.shape.grid[0]; ++t)
            for (int h = 0; h < clip.shape.grid[1]; ++h, from += clip.shape.grid[2])
                copy(clip, t, h, from);
    }

    const Kernels& kernels;
    std::unique_ptr<Plan> plan;
    Team team;
    std::vector<std::shared_ptr<std::byte[]>> scratch;
    float inverse_scale = 1;
};

Session::Session(Graph graph, const SessionOptions& options)
    : impl_(std::make_unique<Impl>(std::move(graph), options)) {}

Session::~Session() = default;

const Graph& Session::graph() const { return impl_->plan->graph; }

std::int64_t Session::outputs() const { return impl_->plan->places.back().shape.elements(); }

void Session::run(const float* clip, float* result) {
    const Elements& elements = impl_->plan->graph.input_elements;
    impl_->take([&](const Place& to, int t, int h, std::ptrdiff_t from) {
        const int count = to.shape.grid[2];
        if (elements.are_real())
            std::memcpy(to.real(t, h), clip + from,
                        static_cast<std::size_t>(count) * sizeof(float));
        else
            impl_->kernels.quantise(to.bytes_at(t, h), clip + from, impl_->inverse_scale,
                                    elements.zero, activation_range(input_bits).high, count);
    });
    impl_->run(result);
}

void Session::run(const std::uint8_t* clip, float* result) {
    EDGELOOP_EXPECT(!impl_->plan->graph.input_elements.are_real(), "this network takes floats");
    impl_->take([&](const Place& to, int t, int h, std::ptrdiff_t from) {
        std::memcpy(to.bytes_at(t, h), clip + from, static_cast<std::size_t>(to.shape.grid[2]));
    });
    impl_->run(result);
}

std::size_t Session::memory_bytes() const { return impl_->plan->memory_bytes; }
std::size_t Session::weight_bytes() const { return impl_->plan->weight_bytes; }
const std::vector<std::string>& Session::kernels() const { return impl_->plan->kernels; }

}  // namespace edgeloop::inference
