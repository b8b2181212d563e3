#pragma once

#include "surrogate/encoding.hpp"

#include <cstddef>
#include <vector>

#include <Eigen/Dense>

namespace edgeloop {

/// One value of a design on a rung.
struct Observation {
    const Encoded* design = nullptr;
    int rung = 0;
    double value = 0;      ///< about 0, of the order of 1
    double trainings = 1;  ///< it is the mean of; the noise is that much smaller
};

/// Gaussian process over designs and rungs, with a length scale for each gene.
///
/// Covariance, for genes i with weights w_i = 1 / length scale (of ordered genes: squared):
///
///     a exp(-sum over categorical i of w_i (c_x + c_y) / 2 [x_i != y_i]) M(sum over ordered i of
///     w_i (x_i - y_i)²) + b sum of w_i m_i / sum of w_i,     times exp(-r |difference of rungs|)
///
/// with M the Matérn function of smoothness 5/2, m_i how alike two genes are (1: equal), and a
/// weight c for each choice: exchanging `none` may matter more than exchanging one convolution for
/// another. The sum lets what each gene does alone be learnt from few results, the product what
/// they do together. Noise is added on the diagonal.
///
/// The logarithms of all weights are fitted to the marginal likelihood with wide priors.
/// Sources: Rasmussen and Williams, "Gaussian processes for machine learning", 2.7, 4.2, 5.4;
/// Duvenaud, Nickisch, Rasmussen, "Additive Gaussian processes", NIPS 2011.
class GaussianProcess {
  public:
    explicit GaussianProcess(const DesignEncoding& encoding);

    /// What the fit starts from.
    [[nodiscard]] std::vector<double> initial_parameters() const;

    /// Improves the parameters by so many steps of resilient propagation (Riedmiller and Braun,
    /// 1993) and gives the best seen. Complexity: steps times O(n³).
    [[nodiscard]] std::vector<double> fitted(const std::vector<Observation>& observations,
                                             std::vector<double> parameters, int steps) const;

    /// Minus log of marginal likelihood and priors. @param gradient  by parameter.
    [[nodiscard]] double loss(const std::vector<Observation>& observations,
                              const std::vector<double>& parameters,
                              std::vector<double>& gradient) const;
    /// Conditions on these; the designs must outlive this. Complexity: O(n³).
    void condition(const std::vector<Observation>& observations,
                   const std::vector<double>& parameters);

    /// Conditions on further ones as well. Complexity: O(n²) for each.
    void extend(const std::vector<Observation>& more);

    struct Prediction {
        double mean = 0, deviation = 0;  ///< of the noiseless value
    };
    /// Complexity: O(n²) each.
    [[nodiscard]] std::vector<Prediction> predict(const std::vector<const Encoded*>& designs,
                                                  int rung) const;
    /// How much of the variance of the observations is explained by predicting each from all
    /// others (leave-one-out); 0 or less: no better than their mean.
    /// Source: Rasmussen and Williams, 5.4.2.
    [[nodiscard]] double skill() const;
    /// Standard deviation of one training.
    [[nodiscard]] double noise() const;

  private:
    struct Kernel;
    struct Columns;

    /// Lower part, noise included. Shape (observations, observations).
    [[nodiscard]] static Eigen::MatrixXd covariance(const Kernel& kernel,
                                                    const std::vector<Observation>& observations);
    /// Shape (a, b).
    [[nodiscard]] static Eigen::MatrixXd covariance(const Kernel& kernel,
                                                    const std::vector<Observation>& a,
                                                    const std::vector<Observation>& b);

    [[nodiscard]] std::size_t parameter_count() const;
    [[nodiscard]] Kernel kernel(const std::vector<double>& parameters) const;
    [[nodiscard]] double add_priors(const std::vector<double>& parameters,
                                    std::vector<double>& gradient) const;

    const DesignEncoding& encoding_;
    std::vector<Observation> observations_;
    std::vector<double> parameters_;
    Eigen::MatrixXd factor_;   ///< lower Cholesky factor
    Eigen::VectorXd weights_;  ///< of the observations in a mean
};

}  // namespace edgeloop
