#include "canonical_form.hpp"

#include <utility>

namespace edgeloop {
namespace {

/// Singular values over the largest that are nothing but rounding.
constexpr double least_value = 1e-7;

torch::Tensor exact(const torch::Tensor& tensor) {
    return tensor.detach().to(torch::kCPU, torch::kDouble);
}

/// A core between its bonds, (left, all that is free, right).
torch::Tensor between_bonds(const FactoredModule& layer, std::size_t core) {
    torch::Tensor tensor = exact(layer.scaled_core(core));
    std::int64_t left = -1, right = -1;
    for (const Bond& bond : layer.bonds()) {
        if (bond.back().core == core) left = bond.back().dimension;
        if (bond.front().core == core) right = bond.front().dimension;
    }
    tensor = right >= 0 ? tensor.movedim(right, -1) : tensor.unsqueeze(-1);
    // The right one is behind, so it can have moved the left one down by one place only.
    if (left >= 0) tensor = tensor.movedim(right >= 0 && right < left ? left - 1 : left, 0);
    if (left < 0) tensor = tensor.unsqueeze(0);
    return tensor.reshape({tensor.size(0), -1, tensor.size(-1)});
}

/// Products of the slices of each bond with each other, seen from the first core.
std::vector<torch::Tensor> left_products(const std::vector<torch::Tensor>& cores) {
    std::vector<torch::Tensor> products;
    torch::Tensor product = torch::ones({1, 1}, torch::kDouble);
    for (std::size_t k = 0; k + 1 < cores.size(); ++k) {
        const std::int64_t left = cores[k].size(0), right = cores[k].size(2);
        const torch::Tensor read = product.mm(cores[k].reshape({left, -1})).reshape({-1, right});
        product = cores[k].reshape({-1, right}).t().mm(read);
        products.push_back(product);
    }
    return products;
}

/// Seen from the last core.
std::vector<torch::Tensor> right_products(const std::vector<torch::Tensor>& cores) {
    std::vector<torch::Tensor> products(cores.size() - 1);
    torch::Tensor product = torch::ones({1, 1}, torch::kDouble);
    for (std::size_t k = cores.size() - 1; k > 0; --k) {
        const std::int64_t left = cores[k].size(0), right = cores[k].size(2);
        const torch::Tensor read = cores[k].reshape({-1, right}).mm(product).reshape({left, -1});
        product = read.mm(cores[k].reshape({left, -1}).t());
        products[k - 1] = product;
    }
    return products;
}

/// Of a symmetric matrix, largest first; rounding makes no value negative.
std::pair<torch::Tensor, torch::Tensor> eigen(const torch::Tensor& matrix) {
    const auto [values, vectors] = torch::linalg_eigh((matrix + matrix.t()) / 2);
    return {values.flip(0).clamp_min(0), vectors.flip(1)};
}

/// Scales of a bond as its layer uses them; ones without.
torch::Tensor scales_of(const FactoredModule& layer, std::size_t bond) {
    if (layer.scales().empty()) {
        const CoreAxis& axis = layer.bonds()[bond].front();
        return torch::ones({layer.cores()[axis.core].size(axis.dimension)}, torch::kDouble);
    }
    const torch::Tensor scale = exact(layer.scales()[bond]);
    return scale * (scale > FactoredModule::least_scale);
}

/// 1 / x; 0 where x is nothing.
torch::Tensor inverse_of(const torch::Tensor& x) {
    return torch::where(x > 0, x.clamp_min(1e-300).reciprocal(), torch::zeros_like(x));
}

/// The indices as they are.
CanonicalBond plain_bond(const FactoredModule& layer, std::size_t bond) {
    const Bond& axes = layer.bonds()[bond];
    const torch::Tensor scales = scales_of(layer, bond);
    const torch::Tensor same = torch::eye(scales.size(0), torch::kDouble);
    CanonicalBond plain;
    plain.worth = scales;
    for (const CoreAxis& axis : axes)
        plain.worth = plain.worth * squares(exact(layer.cores()[axis.core]), axis.dimension).sqrt();
    plain.weights.assign(axes.size() - 1, same);
    plain.gradients = plain.weights;
    plain.weights.push_back(same * scales);
    plain.gradients.push_back(same * inverse_of(scales));
    return plain;
}

/// With A, B what is left and right of the bond: A'A = root root', root' BB' root = V S^2 V', so
/// that AB = (A P) (N B), with N = S^-1/2 V' root', P = BB' root V S^-3/2 and NP = 1.
CanonicalBond canonical_bond(const FactoredModule& layer, std::size_t bond,
                             const torch::Tensor& left, const torch::Tensor& right) {
    const auto [squared, basis] = eigen(left);
    const torch::Tensor root = basis * squared.sqrt();
    const auto [values, vectors] = eigen(root.t().mm(right).mm(root));
    CanonicalBond made;
    made.worth = values.sqrt();
    const double largest = made.worth[0].item<double>();
    if (!(largest > 0)) {
        made = plain_bond(layer, bond);
        made.worth.zero_();
        return made;
    }
    const torch::Tensor size = made.worth * (made.worth > least_value * largest);
    const torch::Tensor turned = root.mm(vectors);
    const torch::Tensor of_left =
        (right.mm(turned) * inverse_of(size * size.sqrt())).t().contiguous();
    const torch::Tensor of_right = (turned * inverse_of(size.sqrt())).t().contiguous();
    const torch::Tensor scales = scales_of(layer, bond);
    made.weights = {of_left, of_right * scales};
    // The gradient of a core has what is beside it in it, and changes as that does.
    made.gradients = {of_right, of_left * inverse_of(scales)};
    return made;
}

}  // namespace

CanonicalBond CanonicalBond::with(const torch::Tensor& indices) const {
    CanonicalBond cut{worth.index_select(0, indices), {}, {}};
    for (const torch::Tensor& matrix : weights)
        cut.weights.push_back(matrix.index_select(0, indices));
    for (const torch::Tensor& matrix : gradients)
        cut.gradients.push_back(matrix.index_select(0, indices));
    return cut;
}

CanonicalForm canonical_form(const FactoredModule& layer) {
    const torch::NoGradGuard no_grad;
    // Of cp with two cores the weights are their product, as of the other formats.
    if (layer.layer().format == "cp" && layer.cores().size() > 2) {
        CanonicalForm form;
        for (std::size_t b = 0; b < layer.bonds().size(); ++b) form.push_back(plain_bond(layer, b));
        return form;
    }
    std::vector<torch::Tensor> cores;
    for (std::size_t k = 0; k < layer.cores().size(); ++k) cores.push_back(between_bonds(layer, k));
    const std::vector<torch::Tensor> left = left_products(cores), right = right_products(cores);
    CanonicalForm form;
    for (std::size_t b = 0; b < layer.bonds().size(); ++b)
        form.push_back(canonical_bond(layer, b, left[b], right[b]));
    return form;
}

Ranks ranks_in(const CanonicalForm& form) {
    Ranks ranks;
    for (const CanonicalBond& bond : form) ranks.push_back(static_cast<int>(bond.worth.size(0)));
    return ranks;
}

torch::Tensor in_form(const torch::Tensor& tensor, CoreTensor what, const FactoredModule& layer,
                      std::size_t core, const CanonicalForm& form) {
    const torch::NoGradGuard no_grad;
    torch::Tensor result = exact(tensor);
    for (std::size_t b = 0; b < form.size(); ++b)
        for (std::size_t a = 0; a < layer.bonds()[b].size(); ++a) {
            const CoreAxis& axis = layer.bonds()[b][a];
            if (axis.core != core) continue;
            torch::Tensor matrix =
                what == CoreTensor::weights ? form[b].weights[a] : form[b].gradients[a];
            if (what == CoreTensor::squared_gradients) matrix = matrix.square();
            result =
                torch::tensordot(matrix, result, {1}, {axis.dimension}).movedim(0, axis.dimension);
        }
    return result.to(tensor.options()).contiguous();
}

torch::Tensor squares(const torch::Tensor& core, std::int64_t dimension) {
    return core.detach()
        .transpose(0, dimension)
        .reshape({core.size(dimension), -1})
        .square()
        .sum(1);
}

}  // namespace edgeloop
