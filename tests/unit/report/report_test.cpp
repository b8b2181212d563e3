// The page and the figures: what is in them, and that nothing else gets in.
#include "edgeloop/report/report.hpp"

#include "made_up_run.hpp"
#include "report/document.hpp"
#include "report/encoder.hpp"
#include "support/places.hpp"

#include "edgeloop/core/random_stream.hpp"
#include "edgeloop/core/text.hpp"
#include "edgeloop/evolution/hypervolume.hpp"

#include <cmath>
#include <cstring>
#include <limits>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zlib.h>

namespace edgeloop::test::report_test {
namespace {

using report::read_run;
using report::RunView;
using ::testing::DoubleNear;
using ::testing::ElementsAre;
using ::testing::Gt;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Lt;
using ::testing::Not;
using ::testing::SizeIs;

/// What Encoder::packed() gave, taken apart as the page does.
struct Unpacked {
    Json header;
    std::string bytes;

    explicit Unpacked(const std::string& text) {
        static const std::string letters =
            "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        std::string packed;
        std::uint32_t bits = 0;
        int count = 0;
        for (const char c : text) {
            if (c == '=') break;
            bits = bits << 6 | static_cast<std::uint32_t>(letters.find(c));
            if ((count += 6) < 8) continue;
            count -= 8;
            packed += static_cast<char>(bits >> count & 0xff);
        }
        std::string all(64u << 20, '\0');
        uLongf size = all.size();
        EXPECT_EQ(uncompress(reinterpret_cast<Bytef*>(all.data()), &size,
                             reinterpret_cast<const Bytef*>(packed.data()), packed.size()),
                  Z_OK);
        all.resize(size);
        std::uint32_t length = 0;
        for (int i = 3; i >= 0; --i)
            length = length << 8 | static_cast<unsigned char>(all[static_cast<std::size_t>(i)]);
        header = Json::parse(all.substr(4, length));
        bytes = all.substr(4 + length);
    }

    template <class T>
    [[nodiscard]] std::vector<T> raw(const Json& column, std::size_t rows) const {
        std::vector<T> values(rows);
        for (std::size_t row = 0; row < rows; ++row) {
            unsigned char value[sizeof(T)];
            for (std::size_t byte = 0; byte < sizeof(T); ++byte)
                value[byte] = static_cast<unsigned char>(
                    bytes.at(column.at("at").get<std::size_t>() + byte * rows + row));
            std::memcpy(&values[row], value, sizeof(T));
        }
        return values;
    }
    [[nodiscard]] std::vector<double> numbers(const Json& column, std::size_t rows) const {
        const auto type = column.at("type").get<std::string>();
        const auto as = [](const auto& values) {
            return std::vector<double>(values.begin(), values.end());
        };
        std::vector<double> values = type == "u8"    ? as(raw<std::uint8_t>(column, rows))
                                     : type == "u16" ? as(raw<std::uint16_t>(column, rows))
                                     : type == "u32" ? as(raw<std::uint32_t>(column, rows))
                                     : type == "i32" ? as(raw<std::int32_t>(column, rows))
                                     : type == "f32" ? as(raw<float>(column, rows))
                                                     : raw<double>(column, rows);
        if (column.contains("values"))
            for (double& value : values)
                value = value == 0
                            ? std::numeric_limits<double>::quiet_NaN()
                            : column["values"][static_cast<std::size_t>(value) - 1].get<double>();
        return values;
    }
};

Unpacked document_of(const RunView& run, const std::vector<RunView>& others = {}) {
    return Unpacked(report::document(run, others, {}));
}

const Json& column_of(const Json& table, const std::string& name) {
    for (const Json& column : table.at("columns"))
        if (column.at("name") == name) return column;
    throw std::out_of_range("no column " + name);
}

TEST(Encoder, GivesEveryNumberBack) {
    const double none = std::numeric_limits<double>::quiet_NaN();
    RandomStream random(1, "test");
    std::vector<std::vector<double>> columns(7);
    for (int i = 0; i < 2000; ++i) {
        columns[0].push_back(i % 7 == 0 ? none : i % 5);
        columns[1].push_back(1e6 * i - 3);
        columns[2].push_back(i == 3 ? none : static_cast<float>(random.uniform()));
        columns[3].push_back(i == 3 ? none : random.uniform());
        columns[4].push_back(i % 2 == 0 ? std::numeric_limits<double>::infinity() : 1);
        columns[5].push_back(none);
        columns[6].push_back((i % 300) * 0.1);
    }
    report::Encoder encoder;
    Json described = Json::array();
    for (const auto& column : columns) described.push_back(encoder.numbers(column));
    const Unpacked read(encoder.packed({{"columns", described}}));
    const char* types[] = {"u8", "i32", "f32", "f64", "f64", "u8", "u16"};
    for (std::size_t i = 0; i < columns.size(); ++i) {
        EXPECT_EQ(described[i]["type"], types[i]) << i;
        const auto values = read.numbers(read.header["columns"][i], columns[i].size());
        for (std::size_t row = 0; row < values.size(); ++row)
            EXPECT_TRUE(values[row] == columns[i][row] ||
                        (std::isnan(values[row]) && std::isnan(columns[i][row])))
                << i << ' ' << row;
    }
}

TEST(ReportDocument, HasWhatTheTablesOfTheRunHave) {
    const RunView run = read_run(test_data("runs/v0.1/training"));
    const Unpacked document = document_of(run);
    const Json& designs = document.header["designs"];
    EXPECT_EQ(designs["rows"], 4);
    EXPECT_EQ(document.header["front"], Json({2}));
    for (const auto& column : run.columns) {
        const Json& json = column_of(designs, column.name);
        if (column.is_number) {
            const auto values = document.numbers(json, 4);
            for (std::size_t row = 0; row < 4; ++row)
                EXPECT_TRUE(values[row] == column.numbers[row] || std::isnan(column.numbers[row]));
        } else {
            const auto codes = document.numbers(json, 4);
            for (std::size_t row = 0; row < 4; ++row)
                EXPECT_EQ(
                    codes[row] == 0 ? "" : json["words"][static_cast<std::size_t>(codes[row]) - 1],
                    column.texts[row]);
        }
    }
    EXPECT_EQ(column_of(designs, "latency_ms")["unit"], "ms");
    EXPECT_EQ(column_of(designs, "r2_power")["better"], 1);
    EXPECT_THAT(document.header["specs"]["rows"], SizeIs(4));
    EXPECT_EQ(document.header["specs"]["specs"][0]["family"], "cnn3d");
    EXPECT_THAT(document.header["specs"]["layers"]["2"], SizeIs(Gt(2u)));
    EXPECT_EQ(document.header["trainings"]["rows"], 5);
}

TEST(ReportDocument, GrowsToTheHypervolumeOfTheFront) {
    RunView run = read_run(test_data("runs/v0.1/generational"));
    const std::vector<double> reference(run.objectives.size(), 10);
    run.status["reference"] = reference;
    Points front;
    for (const std::size_t row : run.front) front.push_back(run.objective_values()[row]);
    const report::Growth growth = report::growth_of(run);
    EXPECT_EQ(growth.done.back(), static_cast<double>(run.rows));
    EXPECT_THAT(growth.hypervolume.back(), DoubleNear(hypervolume(front, reference), 1e-9));
    EXPECT_THAT(report::front_hypervolume(run, reference),
                DoubleNear(hypervolume(front, reference), 1e-9));
    for (std::size_t i = 1; i < growth.done.size(); ++i)
        EXPECT_GE(growth.hypervolume[i], growth.hypervolume[i - 1]);
}

/// Rows with genes x (matters), kind (matters more) and idle, of 1 to 4 objectives.
std::string made_up_table(std::size_t objectives, std::size_t rows, const char* status) {
    std::string text = "id,status";
    for (std::size_t k = 1; k <= objectives; ++k) text += ",f" + std::to_string(k);
    text += ",x,kind,idle,conditions,generation,epochs,reason\n";
    RandomStream random(3, "table");
    for (std::size_t row = 1; row <= rows; ++row) {
        const double x = random.uniform(), idle = random.uniform();
        const char* kinds[] = {"c", "a", "b"};  // whose values are not in their order
        const std::size_t kind = random.below(3);
        text += std::to_string(row) + ',' + status;
        for (std::size_t k = 1; k <= objectives; ++k)
            text +=
                ',' + (std::string(status) == "completed"
                           ? shortest(k % 2 == 1 ? 10 * static_cast<double>(kind) + 2 * x : 3 - x)
                           : std::string());
        text += ',' + shortest(x) + ',' + kinds[kind] + ',' + shortest(idle) + ",1," +
                std::to_string(row / 20) + ",0," +
                (std::string(status) == "completed" ? "" : "out of memory") + '\n';
    }
    return text;
}

RunView made_up(std::size_t objectives, std::size_t rows, const char* status = "completed") {
    std::string names;
    for (std::size_t k = 1; k <= objectives; ++k) names += (k > 1 ? ",f" : "f") + std::to_string(k);
    MadeUpRun made(names);
    made.event(R"("event":"proposed","id":1,"generation":0,"index":0,"genes":[1,1,1],"epochs":0)");
    made.write("evaluations.csv", made_up_table(objectives, rows, status));
    return read_run(made.folder);
}

TEST(ReportImportance, FindsTheGenesThatMatter) {
    const RunView run = made_up(2, 200);
    const auto found = report::importances(run);
    ASSERT_THAT(found, SizeIs(2));
    EXPECT_EQ(found[0].designs, 200u);
    EXPECT_THAT(found[0].genes, ElementsAre("kind", "x", "idle"));
    EXPECT_THAT(found[0].shares[0], Gt(0.8));
    EXPECT_THAT(std::abs(found[0].shares[2]), Lt(0.02));
    EXPECT_THAT(found[0].r2, Gt(0.9));
    EXPECT_EQ(found[1].genes[0], "x");
    for (const double error : found[0].errors) EXPECT_GE(error, 0);
    // The same run gives the same page.
    EXPECT_EQ(document_of(run).header["importance"], document_of(run).header["importance"]);
}

TEST(ReportImportance, SaysNothingOfTooFewDesigns) {
    const auto found = report::importances(made_up(2, 19));
    ASSERT_THAT(found, SizeIs(2));
    EXPECT_THAT(found[0].genes, IsEmpty());
}

TEST(ReportPage, WorksForOddRuns) {
    for (const std::size_t objectives : {1, 2, 3, 4})
        for (const auto& [rows, status] : {std::pair<std::size_t, const char*>{0, "completed"},
                                           {1, "completed"},
                                           {30, "completed"},
                                           {5, "failed"}}) {
            const RunView run = made_up(objectives, rows, status);
            EXPECT_EQ(run.rows, rows);
            EXPECT_EQ(document_of(run).header["objectives"].size(), objectives);
            EXPECT_THAT(report::page(run, {run}, {}), HasSubstr("id=\"data\""));
        }
}

std::size_t count_of(const std::string& text, const std::string& part) {
    std::size_t count = 0;
    for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1))
        ++count;
    return count;
}

TEST(ReportPage, KeepsTextsOfTheRunOutOfItsMarkup) {
    const std::string evil = "</script><img src=x onerror=alert(1)>\xe2\x80\xa8<!--";
    MadeUpRun made("f1,f2", "<script>alert(2)<");
    made.write("evaluations.csv", "id,status,f1,f2,\"" + evil +
                                      "\",conditions,device,reason\n1,failed,1,2," + evil + ",1," +
                                      evil + ',' + evil + '\n');
    made.event("\"event\":\"note\",\"what\":" + Json(evil).dump() +
               ",\"id\":1,\"reason\":" + Json(evil).dump());
    const RunView run = read_run(made.folder);
    const std::string page = report::page(run, {run}, {}),
                      clean = report::page(read_run(test_data("runs/v0.1/training")), {}, {});
    EXPECT_THAT(page, Not(HasSubstr("alert(1)")));
    EXPECT_THAT(page, HasSubstr("<title>&lt;script&gt;alert(2)&lt;"));
    for (const char* tag : {"<script", "</script", "<img", "<!--", "</title"})
        EXPECT_EQ(count_of(page, tag), count_of(clean, tag)) << tag;
    const Unpacked document = document_of(run);
    EXPECT_EQ(column_of(document.header["designs"], "device")["words"][0], printable(evil));
}

TEST(ReportPage, HasNoAddressThatABrowserWouldLoad) {
    const std::string page = report::page(read_run(test_data("runs/v0.1/training")), {}, {});
    EXPECT_THAT(page, HasSubstr("default-src 'none'"));
    for (const char* loader : {"<link", "src=\"http", "@import", "url(http"})
        EXPECT_EQ(count_of(page, loader), 0u) << loader;
}

TEST(ReportFigures, AreDrawnFromTheTablesBesideThem) {
    const TemporaryFolder folder;
    RunView run = made_up(2, 60);
    run.front = {3, 5};
    run.objectives[0] = "f1";
    const auto files = report::write_figures(run, folder.path("figures"), {});
    EXPECT_THAT(files, SizeIs(6));
    const std::string svg = read_file(folder.path("figures/front.svg")),
                      csv = read_file(folder.path("figures/front.csv"));
    EXPECT_EQ(count_of(svg, "<circle"), 60u);
    EXPECT_EQ(count_of(csv, "\n"), 61u);
    EXPECT_THAT(csv, HasSubstr("\n4,1,"));
    EXPECT_THAT(read_file(folder.path("figures/importance.csv")), HasSubstr("f1,kind,"));
    EXPECT_THAT(report::write_figures(made_up(2, 0), folder.path("none"), {}), IsEmpty());
}

}  // namespace
}  // namespace edgeloop::test::report_test
