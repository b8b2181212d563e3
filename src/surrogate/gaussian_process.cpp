#include "surrogate/gaussian_process.hpp"

#include "edgeloop/core/numbers.hpp"

#include <algorithm>
#include <cmath>

namespace edgeloop {
namespace {

// Places of the parameters, all of them logarithms: first one weight per gene and one per choice,
// then these.
enum Place : std::size_t { product_place, sum_place, noise_place, rung_place, place_count };

constexpr double jitter = 1e-8;
constexpr double lowest = -12, highest = 5;  ///< of a parameter: what lies beyond is all the same
constexpr double width_of_likeness = 0.3;    ///< of ordered genes in the sum

/// Of an ordered gene: the rational quadratic function of smoothness 1.
double likeness_of(double squared) {
    return 1 / (1 + squared / (2 * width_of_likeness * width_of_likeness));
}

struct Prior {
    double mean, deviation;
};
constexpr Prior choice_prior{0, 1}, amplitude_prior{0, 1}, noise_prior{-7, 1.5};
const Prior rung_prior{std::log(0.1), 1};
constexpr double weight_deviation = 0.7;

}  // namespace

struct GaussianProcess::Columns {
    Columns(std::size_t gene_count, const std::vector<Observation>& observations)
        : genes(gene_count), lacks(gene_count, false) {
        for (const Observation& each : observations) {
            rungs.push_back(each.rung);
            for (std::size_t i = 0; i < gene_count; ++i) {
                genes[i].push_back((*each.design)[i]);
                lacks[i] = lacks[i] || genes[i].back() == inactive;
            }
        }
    }

    std::vector<std::vector<double>> genes;
    std::vector<int> rungs;
    std::vector<bool> lacks;  ///< some design does not have the gene
};

/// The covariance and, for its gradient, how it depends on each parameter.
struct GaussianProcess::Kernel {
    const std::vector<GeneScale>& genes;
    std::vector<double> weight, choice;
    double product = 1, sum = 1, noise = 0, rung = 0, total_weight = 0;

    /// What one pair of genes contributes.
    struct Difference {
        double categorical = 0;  ///< to the exponent, without the gene's weight
        double squared = 0;      ///< of an ordered gene
        double likeness = 1;     ///< in the sum
    };

    [[nodiscard]] Difference difference(std::size_t gene, double a, double b) const {
        if (a == b) return {};
        if (a == inactive || b == inactive) return {1, 0, 0};
        if (genes[gene].ordered) {
            const double squared = (a - b) * (a - b);
            return {0, squared, likeness_of(squared)};
        }
        return {(choice_of(gene, a) + choice_of(gene, b)) / 2, 0, 0};
    }
    [[nodiscard]] std::size_t place_of_choice(std::size_t gene, double a) const {
        return genes[gene].first_choice + static_cast<std::size_t>(a);
    }
    [[nodiscard]] double choice_of(std::size_t gene, double a) const {
        return choice[place_of_choice(gene, a)];
    }

    struct Parts {
        double exponent = 0, distance = 0, likeness = 0;
    };
    [[nodiscard]] Parts parts(const Encoded& a, const Encoded& b) const {
        Parts parts;
        for (std::size_t i = 0; i < weight.size(); ++i) {
            const Difference d = difference(i, a[i], b[i]);
            parts.exponent += weight[i] * d.categorical;
            parts.distance += weight[i] * d.squared;
            parts.likeness += weight[i] * d.likeness;
        }
        parts.likeness /= total_weight;
        return parts;
    }

    static double matern(double distance) {
        const double root = std::sqrt(5 * distance);
        return (1 + root + 5 * distance / 3) * std::exp(-root);
    }
    /// Derivative by the distance.
    static double matern_slope(double distance) {
        const double root = std::sqrt(5 * distance);
        return -5.0 / 6 * (1 + root) * std::exp(-root);
    }

    [[nodiscard]] double between_rungs(int a, int b) const {
        return a == b ? 1 : std::exp(-rung * std::abs(a - b));
    }
    /// Covariances of a design with those in columns from `first` on. The inner loops run over
    /// designs, so that they are vectorised.
    void against(const Columns& seen, std::size_t first, const Encoded& design, int at,
                 double* covariances) const {
        const std::size_t count = seen.rungs.size() - first;
        std::vector<double> exponent(count, 0), distance(count, 0), likeness(count, 0);
        for (std::size_t i = 0; i < weight.size(); ++i) {
            const double* const x = seen.genes[i].data() + first;
            if (genes[i].ordered && design[i] != inactive && !seen.lacks[i])
                add_ordered(weight[i], x, design[i], distance, likeness);
            else
                add_any(i, x, design[i], exponent, distance, likeness);
        }
        for (std::size_t k = 0; k < count; ++k) {
            const double root = std::sqrt(5 * distance[k]);
            covariances[k] =
                (product * (1 + root + 5 * distance[k] / 3) * std::exp(-exponent[k] - root) +
                 sum * likeness[k] / total_weight) *
                between_rungs(seen.rungs[first + k], at);
        }
    }
    static void add_ordered(double w, const double* x, double y, std::vector<double>& distance,
                            std::vector<double>& likeness) {
        double *const d = distance.data(), *const l = likeness.data();
        for (std::size_t k = 0; k < distance.size(); ++k) {
            const double squared = (x[k] - y) * (x[k] - y);
            d[k] += w * squared;
            l[k] += w * likeness_of(squared);
        }
    }
    void add_any(std::size_t gene, const double* x, double y, std::vector<double>& exponent,
                 std::vector<double>& distance, std::vector<double>& likeness) const {
        const double w = weight[gene];
        for (std::size_t k = 0; k < exponent.size(); ++k) {
            const Difference each = difference(gene, x[k], y);
            exponent[k] += w * each.categorical;
            distance[k] += w * each.squared;
            likeness[k] += w * each.likeness;
        }
    }

    /// Adds `factor` times the derivative of the covariance by each parameter.
    void add_gradient(const Observation& a, const Observation& b, double factor,
                      std::vector<double>& gradient) const {
        const Encoded &x = *a.design, &y = *b.design;
        const Parts p = parts(x, y);
        const double between = between_rungs(a.rung, b.rung);
        const double decay = std::exp(-p.exponent);
        const double of_product = factor * between * product * decay * matern(p.distance);
        const double by_distance = factor * between * product * decay * matern_slope(p.distance);
        const double of_sum = factor * between * sum;
        const std::size_t first = weight.size() + choice.size();
        gradient[first + product_place] += of_product;
        gradient[first + sum_place] += of_sum * p.likeness;
        gradient[first + rung_place] -=
            (of_product + of_sum * p.likeness) * rung * std::abs(a.rung - b.rung);
        for (std::size_t i = 0; i < weight.size(); ++i) {
            const double w = weight[i];
            const Difference d = difference(i, x[i], y[i]);
            gradient[i] += w * (by_distance * d.squared - of_product * d.categorical +
                                of_sum * (d.likeness - p.likeness) / total_weight);
            if (d.categorical <= 0 || genes[i].ordered || x[i] == inactive || y[i] == inactive)
                continue;
            for (const double side : {x[i], y[i]})
                gradient[weight.size() + place_of_choice(i, side)] -=
                    of_product * w * choice_of(i, side) / 2;
        }
    }
};

GaussianProcess::GaussianProcess(const DesignEncoding& encoding) : encoding_(encoding) {}

std::size_t GaussianProcess::parameter_count() const {
    return encoding_.genes().size() + encoding_.choices() + place_count;
}

std::vector<double> GaussianProcess::initial_parameters() const {
    std::vector<double> parameters(parameter_count(), 0);
    const std::size_t genes = encoding_.genes().size();
    std::fill_n(parameters.begin(), genes, -std::log(static_cast<double>(genes)));
    const std::size_t first = parameters.size() - place_count;
    parameters[first + noise_place] = noise_prior.mean + noise_prior.deviation;
    parameters[first + rung_place] = rung_prior.mean;
    return parameters;
}

GaussianProcess::Kernel GaussianProcess::kernel(const std::vector<double>& parameters) const {
    Kernel kernel{encoding_.genes(), {}, {}};
    const auto first = parameters.begin();
    const auto genes = static_cast<std::ptrdiff_t>(encoding_.genes().size());
    const auto last = parameters.end() - place_count;
    for (auto each = first; each != last; ++each)
        (each - first < genes ? kernel.weight : kernel.choice).push_back(std::exp(*each));
    kernel.product = std::exp(last[product_place]);
    kernel.sum = std::exp(last[sum_place]);
    kernel.noise = std::exp(last[noise_place]);
    kernel.rung = std::exp(last[rung_place]);
    for (const double weight : kernel.weight) kernel.total_weight += weight;
    return kernel;
}

double GaussianProcess::add_priors(const std::vector<double>& parameters,
                                   std::vector<double>& gradient) const {
    double loss = 0;
    const auto add = [&](std::size_t place, Prior prior) {
        const double z = (parameters[place] - prior.mean) / prior.deviation;
        loss += z * z / 2;
        gradient[place] += z / prior.deviation;
    };
    const std::size_t genes = encoding_.genes().size(), choices = encoding_.choices();
    // The more genes, the less each: a whole genome's difference has the same prior.
    const Prior weight{-std::log(static_cast<double>(genes)), weight_deviation};
    for (std::size_t i = 0; i < genes; ++i) add(i, weight);
    for (std::size_t i = genes; i < genes + choices; ++i) add(i, choice_prior);
    const std::size_t first = genes + choices;
    add(first + product_place, amplitude_prior);
    add(first + sum_place, amplitude_prior);
    add(first + noise_place, noise_prior);
    add(first + rung_place, rung_prior);
    return loss;
}

Eigen::MatrixXd GaussianProcess::covariance(const Kernel& kernel,
                                            const std::vector<Observation>& observations) {
    const Columns columns(kernel.genes.size(), observations);
    const auto size = static_cast<Eigen::Index>(observations.size());
    Eigen::MatrixXd matrix(size, size);
    for (Eigen::Index j = 0; j < size; ++j) {
        const Observation& each = observations[static_cast<std::size_t>(j)];
        kernel.against(columns, static_cast<std::size_t>(j), *each.design, each.rung,
                       &matrix(j, j));
        matrix(j, j) += kernel.noise / each.trainings + jitter;
    }
    return matrix;
}

Eigen::MatrixXd GaussianProcess::covariance(const Kernel& kernel, const std::vector<Observation>& a,
                                            const std::vector<Observation>& b) {
    const Columns columns(kernel.genes.size(), a);
    Eigen::MatrixXd matrix(static_cast<Eigen::Index>(a.size()),
                           static_cast<Eigen::Index>(b.size()));
    for (Eigen::Index j = 0; j < matrix.cols(); ++j) {
        const Observation& each = b[static_cast<std::size_t>(j)];
        kernel.against(columns, 0, *each.design, each.rung, matrix.data() + j * matrix.rows());
    }
    return matrix;
}

namespace {

Eigen::VectorXd values(const std::vector<Observation>& observations) {
    Eigen::VectorXd vector(static_cast<Eigen::Index>(observations.size()));
    for (Eigen::Index i = 0; i < vector.size(); ++i)
        vector[i] = observations[static_cast<std::size_t>(i)].value;
    return vector;
}

using LowerPart = Eigen::LLT<Eigen::MatrixXd, Eigen::Lower>;

}  // namespace

double GaussianProcess::loss(const std::vector<Observation>& observations,
                             const std::vector<double>& parameters,
                             std::vector<double>& gradient) const {
    gradient.assign(parameters.size(), 0);
    const Kernel covers = kernel(parameters);
    const LowerPart factor(covariance(covers, observations));
    if (factor.info() != Eigen::Success) return infinity;
    const auto size = static_cast<Eigen::Index>(observations.size());
    const Eigen::VectorXd targets = values(observations);
    const Eigen::VectorXd weights = factor.solve(targets);
    double loss = targets.dot(weights) / 2;
    for (Eigen::Index i = 0; i < size; ++i) loss += std::log(factor.matrixLLT()(i, i));
    // d loss / d parameter = trace((K^-1 - w w^T) dK) / 2
    Eigen::MatrixXd slope = factor.solve(Eigen::MatrixXd::Identity(size, size));
    slope -= weights * weights.transpose();
    for (Eigen::Index j = 0; j < size; ++j)
        for (Eigen::Index i = j; i < size; ++i)
            covers.add_gradient(observations[static_cast<std::size_t>(i)],
                                observations[static_cast<std::size_t>(j)],
                                i == j ? slope(i, i) / 2 : slope(i, j), gradient);
    double& by_noise = gradient[gradient.size() - place_count + noise_place];
    for (Eigen::Index i = 0; i < size; ++i)
        by_noise +=
            slope(i, i) / 2 * covers.noise / observations[static_cast<std::size_t>(i)].trainings;
    return loss + add_priors(parameters, gradient);
}

std::vector<double> GaussianProcess::fitted(const std::vector<Observation>& observations,
                                            std::vector<double> parameters, int steps) const {
    constexpr double first_step = 0.1, max_step = 0.7, longer = 1.3, shorter = 0.5;
    std::vector<double> best = parameters, gradient, before(parameters.size(), 0);
    std::vector<double> step(parameters.size(), first_step);
    double least = infinity;
    for (int round = 0; round < steps; ++round) {
        const double now = loss(observations, parameters, gradient);
        if (now < least) {
            least = now;
            best = parameters;
        }
        for (std::size_t i = 0; i < parameters.size(); ++i) {
            const double turn = gradient[i] * before[i];
            if (turn > 0) step[i] = std::min(step[i] * longer, max_step);
            if (turn < 0) {
                step[i] *= shorter;
                gradient[i] = 0;
            }
            if (gradient[i] != 0) parameters[i] -= gradient[i] > 0 ? step[i] : -step[i];
            parameters[i] = std::clamp(parameters[i], lowest, highest);
        }
        before = gradient;
    }
    return best;
}

void GaussianProcess::condition(const std::vector<Observation>& observations,
                                const std::vector<double>& parameters) {
    observations_ = observations;
    parameters_ = parameters;
    const Eigen::MatrixXd matrix = covariance(kernel(parameters), observations);
    LowerPart factor(matrix);
    // Equal designs without noise: the diagonal is raised until they can be told apart.
    for (double more = 1e-6; factor.info() != Eigen::Success; more *= 10) {
        Eigen::MatrixXd raised = matrix;
        raised.diagonal().array() += more;
        factor.compute(raised);
    }
    factor_ = factor.matrixL();
    weights_ = factor.solve(values(observations));
}

void GaussianProcess::extend(const std::vector<Observation>& more) {
    if (more.empty()) return;
    const Kernel covers = kernel(parameters_);
    const Eigen::Index old = factor_.rows(), extra = static_cast<Eigen::Index>(more.size());
    Eigen::MatrixXd cross = covariance(covers, observations_, more);
    factor_.triangularView<Eigen::Lower>().solveInPlace(cross);
    Eigen::MatrixXd rest = covariance(covers, more);
    rest.diagonal().array() += 1e-6;  // a design may be under way that was seen before
    rest.noalias() -= cross.transpose() * cross;
    const LowerPart factor(rest);
    if (factor.info() != Eigen::Success) return;  // nothing new is said by what is known exactly
    Eigen::MatrixXd grown = Eigen::MatrixXd::Zero(old + extra, old + extra);
    grown.topLeftCorner(old, old) = factor_;
    grown.bottomLeftCorner(extra, old) = cross.transpose();
    grown.bottomRightCorner(extra, extra) = factor.matrixL();
    factor_ = std::move(grown);
    observations_.insert(observations_.end(), more.begin(), more.end());
    weights_ = factor_.triangularView<Eigen::Lower>().solve(values(observations_));
    factor_.triangularView<Eigen::Lower>().adjoint().solveInPlace(weights_);
}

std::vector<GaussianProcess::Prediction> GaussianProcess::predict(
    const std::vector<const Encoded*>& designs, int rung) const {
    if (designs.empty()) return {};  // Eigen's solvers want a column
    const Kernel covers = kernel(parameters_);
    std::vector<Observation> wanted;
    wanted.reserve(designs.size());
    for (const Encoded* design : designs) wanted.push_back({design, rung});
    Eigen::MatrixXd cross = covariance(covers, observations_, wanted);
    const Eigen::VectorXd means = cross.transpose() * weights_;
    factor_.triangularView<Eigen::Lower>().solveInPlace(cross);
    std::vector<Prediction> predictions;
    predictions.reserve(designs.size());
    for (Eigen::Index j = 0; j < cross.cols(); ++j) {
        const double variance = covers.product + covers.sum - cross.col(j).squaredNorm();
        predictions.push_back({means[j], std::sqrt(std::max(1e-12, variance))});
    }
    return predictions;
}

double GaussianProcess::skill() const {
    const auto size = static_cast<Eigen::Index>(observations_.size());
    if (size < 3) return 0;
    // Residual of leaving one out: w_i / (K^-1)_ii.
    const Eigen::MatrixXd inverse =
        factor_.triangularView<Eigen::Lower>().solve(Eigen::MatrixXd::Identity(size, size));
    const Eigen::VectorXd targets = values(observations_);
    const double mean = targets.mean();
    double left = 0, all = 0;
    for (Eigen::Index i = 0; i < size; ++i) {
        const double residual = weights_[i] / inverse.col(i).squaredNorm();
        left += residual * residual;
        all += (targets[i] - mean) * (targets[i] - mean);
    }
    return all > 0 ? 1 - left / all : 1;  // what is always the same is no riddle
}

double GaussianProcess::noise() const { return std::sqrt(kernel(parameters_).noise); }

}  // namespace edgeloop
