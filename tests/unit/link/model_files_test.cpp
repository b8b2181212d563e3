// Models in files: who may bring them, where they are kept, how they get to a device.
#include "support/board.hpp"
#include "support/scripted_agent.hpp"
#include "support/tcp_proxy.hpp"
#include "support/temporary_folder.hpp"

#include "edgeloop/core/atomic_file.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/core/log.hpp"
#include "edgeloop/link/bridge_store.hpp"
#include "edgeloop/link/broker.hpp"
#include "edgeloop/link/model_submission.hpp"

#include <filesystem>
#include <future>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace edgeloop::model_files_test {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

/// An ONNX file as far as the link looks.
std::string made_up_model(std::size_t bytes, char fill = 'm') {
    std::string model(bytes, fill);
    model[0] = '\x08';
    return model;
}

std::size_t files_in(const std::string& folder) {
    return static_cast<std::size_t>(
        std::distance(fs::directory_iterator(folder), fs::directory_iterator()));
}

TEST(ModelJobs, AreReadAsTheyWereWritten) {
    ModelJob job;
    job.format = ModelFileFormat::torchscript;
    job.model = FileName::of("model");
    job.vectors = FileName::of("vectors");
    job.inputs = parse_inputs("1x3x32x32,2x8:uint8");
    const auto read = ModelJob::of(job.to_json().dump());
    ASSERT_TRUE(read.has_value());
    EXPECT_EQ(read->to_json(), job.to_json());
    EXPECT_EQ(read->files().size(), 2u);
    EXPECT_EQ(read->inputs.at(1).type, ElementType::u8);
    EXPECT_FALSE(ModelJob::of(R"({"architecture":{}})").has_value());
    for (const ModelFileFormat format : model_file_formats) {
        job.format = format;
        EXPECT_EQ(ModelJob::of(job.to_json().dump())->format, format);
    }
}

TEST(ModelJobs, MalformedOnesAreRefused) {
    const std::string digest(32, 'a');
    const auto job = [](const std::string& body) { return R"({"model":)" + body + "}"; };
    for (const std::string& body :
         {std::string("1"), std::string("{}"), std::string("{"),
          std::string(R"({"digest":"xyz","bytes":1,"format":"onnx"})"),
          R"({"digest":")" + digest + R"("})",
          R"({"digest":")" + digest + R"(","bytes":-1,"format":"onnx"})",
          R"({"digest":")" + digest + R"(","bytes":1,"format":"exe"})",
          R"({"digest":")" + digest + R"(","bytes":1,"format":"onnx","more":1})",
          R"({"digest":")" + digest +
              R"(","bytes":1,"format":"onnx","inputs":[{"shape":[0],"type":"uint8"}]})"}) {
        EXPECT_THROW((void)ModelJob::of(job(body)), ConfigError) << body;
        EXPECT_TRUE(files_of({job(body), "{}", ""}).empty());
    }
    for (const char* inputs : {"x", "1x", "0x3", "1x3:float64", "-1", "1x1x1x1x1x1x1x1x1"})
        EXPECT_THROW((void)parse_inputs(inputs), ConfigError) << inputs;
    EXPECT_TRUE(parse_inputs("").empty());
}

TEST(ModelFilesOfAUser, AreLookedAtBeforeTheyAreSent) {
    const test::TemporaryFolder folder;
    const auto put = [&](const std::string& name, const std::string& bytes) {
        write_file_atomic(folder.path(name), bytes);
        return folder.path(name);
    };
    const std::string model = put("m.onnx", made_up_model(100));
    MeasurementSettings settings;
    EXPECT_EQ(ModelFiles({model, ""}).describe(1000, "", settings).model.bytes, 100u);
    EXPECT_EQ(settings.runtime, "onnx");
    MeasurementSettings native;
    EXPECT_EQ(ModelFiles({put("m.elm", "ELMF and more"), ""}).describe(1000, "", native).format,
              ModelFileFormat::native);
    EXPECT_EQ(native.runtime, "native");
    const auto refused = [&](const ModelFiles& files, const std::string& runtime = "eager") {
        MeasurementSettings its;
        its.runtime = runtime;
        try {
            (void)files.describe(1000, "", its);
        } catch (const ConfigError& error) {
            return std::string(error.what());
        }
        return std::string("taken");
    };
    EXPECT_THAT(refused({put("x", "hello"), ""}), HasSubstr("is no model"));
    EXPECT_THAT(refused({put("e", ""), ""}), HasSubstr("is no model"));
    EXPECT_THAT(refused({model, ""}, "torchscript"), HasSubstr("does not run on the runtime"));
    EXPECT_THAT(refused({folder.path("none"), ""}), HasSubstr("none"));
    // 4 GiB that nobody reads.
    const std::string large = put("large", made_up_model(1));
    fs::resize_file(large, std::uintmax_t{4} << 30U);
    EXPECT_THAT(refused({large, ""}), HasSubstr("4294967296 bytes"));
    EXPECT_THAT(refused({model, large}), HasSubstr("4294967296 bytes"));
    SafeTensors others;
    others.metadata = {{"model_digest", "of another"}};
    EXPECT_THAT(refused({model, put("v", encode_safetensors(others))}),
                HasSubstr("test vectors of another model"));
}

TEST(FileStores, KeepAFileOnceAndOnlyWhole) {
    const test::TemporaryFolder folder;
    FileStore store(folder.path("files"), Access::owner);
    const std::string content = "abcdefgh";
    const FileName name = FileName::of(content);
    EXPECT_EQ(store.append(name, 1, 0, "abc"), FileStore::Added::piece);
    EXPECT_EQ(store.append(name, 1, 0, "abc"), FileStore::Added::piece) << "said twice";
    EXPECT_EQ(store.append(name, 2, 0, "xyz"), FileStore::Added::piece) << "somebody else's";
    EXPECT_EQ(store.received(name, 1), 3u);
    EXPECT_FALSE(store.has(name));
    EXPECT_EQ(store.append(name, 2, 3, "defgh"), FileStore::Added::damaged);
    EXPECT_EQ(store.received(name, 2), 0u);
    EXPECT_EQ(store.append(name, 2, 0, "longer than it is said"), FileStore::Added::damaged);
    EXPECT_EQ(store.append(name, 1, 3, "defgh"), FileStore::Added::whole);
    EXPECT_TRUE(store.has(name));
    EXPECT_EQ(store.read(name, 6, 100), "gh");
    EXPECT_EQ(files_in(folder.path("files")), 1u);
    // What was not whole goes at the next start, and then what nobody wants.
    EXPECT_EQ(store.append(name, 3, 0, "a"), FileStore::Added::piece);
    FileStore again(folder.path("files"), Access::owner);
    EXPECT_EQ(again.received(name, 3), 0u);
    EXPECT_TRUE(again.has(name));
    again.keep_only([](const FileName&) { return false; });
    EXPECT_FALSE(again.has(name));
}

class ModelsAtABoard : public testing::Test {
  protected:
    ModelsAtABoard() {
        log::configure(log::Level::error);
        kept.folder = folder.path("store");
        options.max_queued_bytes = 8 << 20;
    }
    ~ModelsAtABoard() override { log::configure(log::Level::info); }

    static MeasurementJob job_about(const std::string& model, const std::string& device_class) {
        ModelJob about;
        about.model = FileName::of(model);
        return make_job(about.to_json(), {}, device_class);
    }
    /// Answers what the board asks for until it asks for nothing.
    static std::size_t bring(test::Board& board, const std::string& client,
                             const std::string& content) {
        std::size_t pieces = 0;
        while (true) {
            const auto asked = board.last<wire::PieceRequest>(client);
            const auto ids = board.received<wire::PieceRequest>(client);
            if (ids.empty()) return pieces;
            board.say(client,
                      wire::Piece{asked.file, asked.offset,
                                  content.substr(asked.offset, wire::max_piece_bytes)},
                      ids.back());
            ++pieces;
        }
    }
    [[nodiscard]] std::size_t kept_files() const { return files_in(kept.folder + "/models"); }

    test::TemporaryFolder folder;
    BridgeStoreOptions kept;
    BoardOptions options;
};

TEST_F(ModelsAtABoard, AreAcceptedWhenTheyAreWholeAndGoWithTheirLastJob) {
    BridgeStore store(kept);
    test::Board board(store, options);
    board.client("search");
    const std::string model = made_up_model(300'000);
    const std::uint64_t first = board.submit("search", job_about(model, "c"));
    EXPECT_TRUE(board.received<wire::Accepted>("search").empty());
    EXPECT_EQ(bring(board, "search", model), 3u);
    EXPECT_EQ(board.received<wire::Accepted>("search"), std::vector<std::uint64_t>{first});
    // The same model for another class is not brought again.
    const std::uint64_t second = board.submit("search", job_about(model, "d"));
    EXPECT_EQ(board.received<wire::Accepted>("search"), std::vector<std::uint64_t>{second});
    EXPECT_EQ(kept_files(), 1u);
    board.agent("device", 1, 1, "c");
    EXPECT_EQ(board.received<wire::Job>("device"), std::vector<std::uint64_t>{first});
    const FileName name = FileName::of(model);
    board.say("device", wire::PieceRequest{name, 262'144}, first);
    EXPECT_EQ(board.last<wire::Piece>("device").bytes, model.substr(262'144));
    board.finish("device", first);
    EXPECT_EQ(kept_files(), 1u);
    board.agent("other", 2, 1, "d");
    board.finish("other", second);
    EXPECT_EQ(kept_files(), 0u);
}

TEST_F(ModelsAtABoard, OnlyADeviceThatWasGivenTheJobGetsThem) {
    BridgeStore store(kept);
    test::Board board(store, options);
    board.client("search");
    const std::string model = made_up_model(1000);
    const std::uint64_t id = board.submit("search", job_about(model, "c"));
    EXPECT_EQ(bring(board, "search", model), 1u);
    board.agent("nosy", 1, 1, "d");
    board.say("nosy", wire::PieceRequest{FileName::of(model), 0}, id);
    EXPECT_EQ(board.received<wire::Piece>("nosy").size(), 1u);
    EXPECT_TRUE(board.last<wire::Piece>("nosy").bytes.empty());
    board.agent("device", 2, 1, "c");
    board.say("device", wire::PieceRequest{FileName::of("another file"), 0}, id);
    EXPECT_TRUE(board.last<wire::Piece>("device").bytes.empty());
    EXPECT_EQ(board.received<wire::Piece>("device").size(), 1u);
}

TEST_F(ModelsAtABoard, CountInTheShareOfWhoBringsThem) {
    BridgeStore store(kept);
    test::Board board(store, options);
    board.client("greedy");
    board.client("modest");
    std::vector<std::string> models;
    for (char fill = 'a'; fill < 'h'; ++fill) models.push_back(made_up_model(1 << 20, fill));
    std::size_t taken = 0;
    for (const std::string& model : models) {
        (void)board.submit("greedy", job_about(model, "c"));
        (void)bring(board, "greedy", model);
        taken += board.received<wire::Accepted>("greedy").size();
    }
    EXPECT_EQ(taken, 4u) << "of 8 MiB half is left for others";
    EXPECT_EQ(board.received<wire::Busy>("greedy").size(), 3u);
    const std::string own = made_up_model(1 << 20, 'z');
    (void)board.submit("modest", job_about(own, "c"));
    (void)bring(board, "modest", own);
    EXPECT_EQ(board.received<wire::Accepted>("modest").size(), 1u);
    // Whoever leaves in the middle leaves nothing.
    const std::size_t before = kept_files();
    const std::string late = made_up_model(200'000, 'l');
    board.client("leaver");
    const std::uint64_t id = board.submit("leaver", job_about(late, "c"));
    board.say("leaver", wire::Piece{FileName::of(late), 0, late.substr(0, wire::max_piece_bytes)},
              id);
    EXPECT_EQ(kept_files(), before + 1);
    board.vanish("leaver");
    EXPECT_EQ(kept_files(), before);
}

TEST_F(ModelsAtABoard, WhatIsTooLargeOrNotWhatItSaysIsRefused) {
    options.max_model_bytes = 1000;
    BridgeStore store(kept);
    test::Board board(store, options);
    board.client("search");
    (void)board.submit("search", job_about(made_up_model(1001), "c"));
    EXPECT_THAT(board.last<wire::Refused>("search").reason, HasSubstr("--max-model-mib"));
    const std::string model = made_up_model(1000);
    (void)board.submit("search", job_about(model, "c"));
    EXPECT_EQ(bring(board, "search", made_up_model(1000, 'x')), 1u);
    EXPECT_THAT(board.last<wire::Refused>("search").reason, HasSubstr("not the one"));
    EXPECT_EQ(kept_files(), 0u);
    const MeasurementJob malformed{R"({"model":{}})", "{}", "c"};
    (void)board.submit("search", malformed);
    EXPECT_THAT(board.last<wire::Refused>("search").reason, HasSubstr("model"));
    // A broker inside a search keeps no files.
    MemoryJobStore memory;
    test::Board inside(memory);
    inside.client("search");
    (void)inside.submit("search", job_about(model, "c"));
    EXPECT_THAT(inside.last<wire::Refused>("search").reason, HasSubstr("edgeloop-bridge serve"));
}

TEST_F(ModelsAtABoard, ALostPieceIsAskedForAgainAndSilenceEndsIt) {
    BridgeStore store(kept);
    test::Board board(store, options);
    board.client("search");
    const std::string model = made_up_model(1000);
    (void)board.submit("search", job_about(model, "c"));
    EXPECT_EQ(board.received<wire::PieceRequest>("search").size(), 1u);
    board.pass_with(3, {"search"});
    EXPECT_EQ(board.received<wire::PieceRequest>("search").size(), 1u);
    for (int i = 0; i < 30; ++i) board.pass_with(3, {"search"});
    EXPECT_EQ(board.received<wire::Busy>("search").size(), 1u);
    (void)board.received<wire::PieceRequest>("search");
    board.pass_with(3, {"search"});
    EXPECT_TRUE(board.received<wire::PieceRequest>("search").empty());
}

TEST_F(ModelsAtABoard, AreThereAfterARestart) {
    const std::string model = made_up_model(5000);
    std::uint64_t id = 0;
    {
        BridgeStore store(kept);
        test::Board board(store, options);
        board.client("search");
        id = board.submit("search", job_about(model, "c"));
        EXPECT_EQ(bring(board, "search", model), 1u);
        EXPECT_TRUE(store.commit());
    }
    write_file_atomic(kept.folder + "/models/nobody wants this", "x");
    BridgeStore store(kept);
    test::Board board(store, options);
    EXPECT_EQ(kept_files(), 1u);
    board.pass(10);
    board.agent("device", 1, 1, "c");
    EXPECT_EQ(board.received<wire::Job>("device"), std::vector<std::uint64_t>{id});
    board.say("device", wire::PieceRequest{FileName::of(model), 0}, id);
    EXPECT_EQ(board.last<wire::Piece>("device").bytes, model);
}

/// A broker with a store that can be started again at the same address.
class Restartable {
  public:
    explicit Restartable(const std::string& folder) {
        kept_.folder = folder;
        options_.endpoint = "tcp://127.0.0.1:" + std::to_string(test::free_port());
        start();
    }
    void stop() {
        broker_.reset();
        store_.reset();
    }
    void start() {
        store_ = std::make_unique<BridgeStore>(kept_);
        broker_ = std::make_unique<Broker>(options_, *store_);
    }
    [[nodiscard]] const std::string& endpoint() const { return options_.endpoint; }

  private:
    BridgeStoreOptions kept_;
    BrokerOptions options_;
    std::unique_ptr<BridgeStore> store_;
    std::unique_ptr<Broker> broker_;
};

/// What a device found in the files of its job.
class ModelsOverTheLink : public testing::Test {
  protected:
    ModelSubmission submission(const std::string& endpoint, const std::string& model,
                               const std::string& vectors = {}) {
        ModelSubmission wanted;
        wanted.address.endpoint = endpoint;
        wanted.name = "user";
        wanted.files.model = folder.path("model");
        write_file_atomic(wanted.files.model, model);
        if (!vectors.empty()) {
            wanted.files.vectors = folder.path("vectors");
            write_file_atomic(wanted.files.vectors, vectors);
        }
        MeasurementSettings settings;
        const ModelJob about = wanted.files.describe(16 << 20, "", settings);
        wanted.job = make_job(about.to_json(), settings, "x");
        return wanted;
    }
    AgentOptions device(const std::string& endpoint) {
        AgentOptions agent = ScriptedAgent::options(endpoint, "device");
        agent.files_folder = folder.path("device");
        return agent;
    }
    static bool never() { return false; }

    test::TemporaryFolder folder;
};

TEST_F(ModelsOverTheLink, GetToADeviceAlsoWhenTheBridgeIsStartedAgainInBetween) {
    Restartable bridge(folder.path("store"));
    const std::string model = made_up_model(700'000);
    const std::string vectors = encode_safetensors({});
    const ModelSubmission wanted = submission(bridge.endpoint(), model, vectors);
    EXPECT_FALSE(submit_model(wanted, false, never).has_value())
        << "it is kept, and nobody is here";
    bridge.stop();
    bridge.start();
    auto answer = std::async(std::launch::async, [&] { return submit_model(wanted, true, never); });
    AgentSession agent(device(bridge.endpoint()));
    std::optional<AgentSession::HeldJob> held;
    for (int i = 0; i < 600 && !held; ++i) held = agent.next(0.1);
    ASSERT_TRUE(held.has_value());
    EXPECT_EQ(read_file(held->files.model), model);
    EXPECT_EQ(read_file(held->files.vectors), vectors);
    MeasurementResult result;
    result.metrics = {{"latency_ms", 1.5}, {"latency_valid", 1}};
    result.record = R"({"vectors":{"holds":true}})";
    agent.finish(held->id, result);
    const auto outcome = answer.get();
    ASSERT_TRUE(outcome.has_value());
    EXPECT_DOUBLE_EQ(outcome->metrics.at("latency_ms"), 1.5);
    EXPECT_EQ(parse_json(outcome->record, "record").at("vectors").at("holds"), true);
    EXPECT_EQ(files_in(folder.path("device")), 0u) << "they go when the job is answered";
    // Asked again it is answered from the store, without the device.
    EXPECT_TRUE(submit_model(wanted, true, never).has_value());
}

TEST_F(ModelsOverTheLink, ADeviceThatTakesNoneSaysSoBeforeTheyCome) {
    Restartable bridge(folder.path("store"));
    AgentOptions options = device(bridge.endpoint());
    options.refusal = [](const ModelJob&) { return std::string("no models here"); };
    AgentSession agent(options);
    const auto outcome =
        submit_model(submission(bridge.endpoint(), made_up_model(700'000)), true, never);
    ASSERT_TRUE(outcome.has_value());
    EXPECT_EQ(outcome->status, Status::failed);
    EXPECT_THAT(outcome->reason, HasSubstr("no models here"));
    EXPECT_EQ(files_in(folder.path("device")), 0u);
}

}  // namespace
}  // namespace edgeloop::model_files_test
