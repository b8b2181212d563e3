#include "edgeloop/architecture/field.hpp"

#include "edgeloop/core/error.hpp"

#include <algorithm>
#include <type_traits>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace edgeloop {
namespace {

template <class... Cases>
struct Overloaded : Cases... {
    using Cases::operator()...;
};
template <class... Cases>
Overloaded(Cases...) -> Overloaded<Cases...>;

std::string choice_from(const Json& value, const std::vector<std::string>& choices,
                        const Place& place) {
    std::string chosen = text_from(value, place);
    if (std::find(choices.begin(), choices.end(), chosen) == choices.end())
        throw ConfigError(fmt::format("{}: '{}' is not one of: {}", place.text(), chosen,
                                      fmt::join(choices, ", ")));
    return chosen;
}

}  // namespace

void Field::read(const Json& value, const Place& place) const {
    const auto numbers = [&](int* to, const Json& list) {
        for (std::size_t i = 0; i < list.size(); ++i)
            to[i] = integer_from(list[i], range, place / i);
    };
    std::visit(Overloaded{
                   [&](int* to) { *to = integer_from(value, range, place); },
                   [&](double* to) { *to = number_from(value, range, place); },
                   [&](const Numbers& to) {
                       const auto count = static_cast<double>(to.count);
                       numbers(to.first, list_from(value, {count, count}, place));
                   },
                   [&](std::vector<int>* to) {
                       const Json& list = list_from(value, length, place);
                       to->resize(list.size());
                       numbers(to->data(), list);
                   },
                   [&](std::string* to) { *to = choice_from(value, choices, place); },
                   [&](const Objects& to) {
                       const Json& list = list_from(value, length, place);
                       to.resize(list.size());
                       for (std::size_t i = 0; i < list.size(); ++i)
                           read_fields(to.at(i), list[i], place / i);
                   },
               },
               member);
}

Json Field::write() const {
    return std::visit(Overloaded{
                          [](const Numbers& from) {
                              return Json(std::vector<int>(from.first, from.first + from.count));
                          },
                          [](const Objects& from) {
                              Json list = Json::array();
                              for (std::size_t i = 0; i < from.size(); ++i)
                                  list.push_back(write_fields(from.at(i)));
                              return list;
                          },
                          [](const auto* from) { return Json(*from); },
                      },
                      member);
}

Field Field::added_later() const {
    EDGELOOP_EXPECT(!choices.empty(), "of what is no choice the older value must be given");
    return added_later(choices.front());
}

Field Field::added_later(Json value_of_older) const {
    Field later = *this;
    later.older = std::move(value_of_older);
    return later;
}

bool Field::has_default() const {
    try {
        read(write(), Place(name));
        return true;
    } catch (const ConfigError&) {
        return false;
    }
}

void read_fields(const std::vector<Field>& fields, const Json& object, const Place& place) {
    std::vector<std::string_view> known;
    for (const Field& field : fields) known.emplace_back(field.name);
    const ObjectReader reader(object, place, known);
    for (const Field& field : fields)
        if (reader.has(field.name) || !field.has_default())
            field.read(reader.member(field.name), reader.place(field.name));
}

Json write_fields(const std::vector<Field>& fields) {
    Json object = Json::object();
    for (const Field& field : fields) {
        Json value = field.write();
        if (!field.older.is_null() && value == field.older) continue;
        object[field.name] = std::move(value);
    }
    return object;
}

}  // namespace edgeloop
