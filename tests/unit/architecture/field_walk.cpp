#include "unit/architecture/field_walk.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace edgeloop::test {
namespace {

/// The ends of a range and what lies next to them.
struct Edges {
    std::vector<double> inside, outside;
};

Edges edges_of(Bounds range, bool is_whole) {
    const double beyond = std::numeric_limits<double>::max();
    const auto next = [&](double from, double step, double to) {
        return is_whole ? from + step : std::nextafter(from, to);
    };
    return {{range.low, range.high}, {next(range.low, -1, -beyond), next(range.high, 1, beyond)}};
}

Json number(double value, bool is_whole) {
    return is_whole ? Json(static_cast<std::int64_t>(value)) : Json(value);
}

class Walk {
  public:
    Walk(Json spec, std::vector<FieldCase>& cases) : spec_(std::move(spec)), cases_(cases) {}

    void fields(const std::vector<Field>& list, const std::string& path) {
        for (const Field& field : list) one(field, path + '.' + field.name);
    }

  private:
    void one(const Field& field, const std::string& path) {
        Json now = field.write();
        if (now == Json::array()) now.push_back(field.range.low);
        if (std::holds_alternative<std::string*>(field.member)) {
            for (const std::string& choice : field.choices) add(path, choice, true);
            add(path, "no such choice", false);
        } else if (const auto* objects = std::get_if<Field::Objects>(&field.member)) {
            lengths(path, now[0], field.length);
            fields(objects->at(0), path + ".0");
        } else if (now.is_array()) {
            if (std::holds_alternative<std::vector<int>*>(field.member))
                lengths(path, field.range.low, field.length);
            else
                lengths(path, field.range.low, {1.0 * now.size(), 1.0 * now.size()});
            for (std::size_t i = 0; i < now.size(); ++i) numbers(field, path, now, &i);
        } else {
            numbers(field, path, now, nullptr);
        }
    }

    void numbers(const Field& field, const std::string& path, const Json& now,
                 const std::size_t* place) {
        const bool is_whole = !std::holds_alternative<double*>(field.member);
        const Edges edges = edges_of(field.range, is_whole);
        for (const auto* values : {&edges.inside, &edges.outside})
            for (const double value : *values) {
                Json changed = now;
                (place == nullptr ? changed : changed[*place]) = number(value, is_whole);
                add(path, changed, values == &edges.inside);
            }
    }

    void lengths(const std::string& path, const Json& element, Bounds length) {
        const Edges edges = edges_of(length, true);
        for (const auto* values : {&edges.inside, &edges.outside})
            for (const double size : *values)
                if (size >= 0)
                    add(path, std::vector<Json>(static_cast<std::size_t>(size), element),
                        values == &edges.inside);
    }

    void add(const std::string& path, const Json& value, bool is_inside) {
        std::string pointer = path;
        std::replace(pointer.begin(), pointer.end(), '.', '/');
        FieldCase found{spec_, path.substr(1), value, is_inside};
        found.spec[Json::json_pointer(pointer)] = value;
        cases_.push_back(found);
    }

    Json spec_;
    std::vector<FieldCase>& cases_;
};

}  // namespace

void fill(const std::vector<Field>& fields) {
    for (const Field& field : fields) {
        if (field.has_default()) continue;
        if (const auto* objects = std::get_if<Field::Objects>(&field.member)) {
            objects->resize(1);
            fill(objects->at(0));
        } else if (std::holds_alternative<std::vector<int>*>(field.member)) {
            field.read(Json::array({field.range.low}), Place("test"));
        } else {
            field.read(Json(field.range.low), Place("test"));
        }
    }
}

std::vector<FieldCase> field_cases() {
    std::vector<FieldCase> cases;
    for (AnyFamily network : families()) {
        const std::vector<Field> fields = fields_of(network);
        fill(fields);
        ArchitectureSpec spec;
        spec.family = name_of(network);
        spec.architecture = write_fields(fields);
        spec.clip = {2, 1, 4};
        Walk walk(spec.to_json(), cases);
        walk.fields(fields, ".architecture");
        walk.fields(spec.clip.fields(), ".clip");
        walk.fields(spec.training.fields(), ".training");
    }
    return cases;
}

}  // namespace edgeloop::test
