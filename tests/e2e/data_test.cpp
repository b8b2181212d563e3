// edgeloop-data as users run it: commands, exit codes, kill -9 and memory.
#include "data/hdf5.hpp"
#include "support/places.hpp"
#include "support/temporary_folder.hpp"

#include "edgeloop/core/atomic_file.hpp"
#include "edgeloop/core/child_process.hpp"
#include "edgeloop/core/json.hpp"
#include "edgeloop/data/catalogue.hpp"

#include <algorithm>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <map>
#include <thread>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

namespace edgeloop {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using Words = std::vector<std::string>;

class DataProgram : public testing::Test {
  protected:
    struct Result {
        int code = 0;
        std::string output;  ///< stdout and stderr together
    };

    [[nodiscard]] ChildOptions command(const Words& arguments) const {
        ChildOptions options;
        options.arguments = {test::program("edgeloop-data")};
        options.arguments.insert(options.arguments.end(), arguments.begin(), arguments.end());
        options.output_file = folder_.path("output.txt");
        options.drop_environment.emplace_back("HDF5_USE_FILE_LOCKING");  // users do not set it
        return options;
    }
    Result finish(const ChildOptions& options) const {
        fs::remove(options.output_file);
        ChildProcess child(options);
        const auto exit = child.wait_for(100);
        EXPECT_TRUE(exit.has_value()) << "did not end";
        return {exit ? exit->code : -1, read_file(options.output_file)};
    }
    Result run(const Words& arguments) const { return finish(command(arguments)); }

    /// Recordings of two small objects.
    std::string make_recordings() const {
        const Result made = run({"synth", "--output", folder_.path("raise"), "--objects", "2",
                                 "--layers", "5", "--lines", "12", "--size", "32x40", "--generator",
                                 "1", "--line-length", "0.8", "--seed", "4"});
        EXPECT_EQ(made.code, 0) << made.output;
        return folder_.path("raise") + "/*.hdf5";
    }
    [[nodiscard]] Words shard_command(const std::string& input, const std::string& output) const {
        return {"shard", "--input", input, "--output", output, "--shards", "20", "--seed", "1"};
    }
    static std::map<std::string, std::string> content(const std::string& folder) {
        std::map<std::string, std::string> files;
        for (const auto& entry : fs::directory_iterator(folder))
            files[entry.path().filename().string()] = read_file(entry.path().string());
        return files;
    }
    static std::size_t finished_shards(const std::string& folder) {
        std::error_code missing;
        std::size_t count = 0;
        for (const auto& entry : fs::directory_iterator(folder, missing))
            count += entry.path().extension() == ".h5" ? 1 : 0;
        return count;
    }

    test::TemporaryFolder folder_;
};

TEST_F(DataProgram, GoesFromNothingToShardsAndClips) {
    const std::string input = make_recordings();
    const Result inspected = run({"inspect", "--json", input});
    ASSERT_EQ(inspected.code, 0) << inspected.output;
    const Json report = parse_json(inspected.output, "inspect");
    EXPECT_EQ(report["files"].size(), 2U);
    EXPECT_EQ(report["files"][1]["lines"], 60);
    EXPECT_EQ(report["baselines"].size(), 6U);
    EXPECT_EQ(report["baselines"].back()["name"], "five moments");
    const Result sharded = run(shard_command(input, folder_.path("shards")));
    ASSERT_EQ(sharded.code, 0) << sharded.output;
    EXPECT_THAT(sharded.output, HasSubstr("20 shards in"));
    EXPECT_THAT(sharded.output, HasSubstr("without a network, of 16 frames"));
    EXPECT_THAT(sharded.output, HasSubstr("five moments"));
    EXPECT_EQ(read_catalogue(folder_.path("shards")).part(SplitPart::train).layers, 6U);
    const Result clips = run({"clips", "--input", input, "--frames", "8", "--side", "32",
                              "--center", "--output", folder_.path("clips.h5")});
    ASSERT_EQ(clips.code, 0) << clips.output;
    EXPECT_THAT(clips.output, HasSubstr("120 clips"));
}

TEST_F(DataProgram, KilledAtAnyPointAndRunAgainGivesTheSameFiles) {
    const std::string input = make_recordings();
    ASSERT_EQ(run(shard_command(input, folder_.path("expected"))).code, 0);
    const std::string output = folder_.path("shards");
    for (std::size_t shards = 0; shards <= 18; shards += 3) {
        ChildProcess child(command(shard_command(input, output)));
        while (finished_shards(output) <= shards && !child.poll())
            std::this_thread::sleep_for(std::chrono::microseconds(200));
        ::kill(child.pid(), SIGKILL);
        ASSERT_TRUE(child.wait_for(10));
    }
    EXPECT_GE(finished_shards(output), 18U) << "finished shards were kept";
    ASSERT_EQ(run(shard_command(input, output)).code, 0);
    EXPECT_EQ(content(output), content(folder_.path("expected")));
}

TEST_F(DataProgram, RanksUnderMpirunDivideTheWork) {
    const std::string input = make_recordings();
    ASSERT_EQ(run(shard_command(input, folder_.path("expected"))).code, 0);
    ChildOptions options = command(shard_command(input, folder_.path("shards")));
    const Words launcher = {"/usr/bin/env",    "mpirun", "--allow-run-as-root",
                            "--oversubscribe", "-n",     "3"};
    options.arguments.insert(options.arguments.begin(), launcher.begin(), launcher.end());
    const Result result = finish(options);
    ASSERT_EQ(result.code, 0) << result.output;
    EXPECT_EQ(content(folder_.path("shards")), content(folder_.path("expected")));
}

TEST_F(DataProgram, ErrorsAreOneClearLineAndTheDocumentedExitCode) {
    write_file_atomic(folder_.path("text.hdf5"), "not HDF5");
    const std::string missing = folder_.path("missing.hdf5"), text = folder_.path("text.hdf5");
    const std::string out = folder_.path("out");
    const std::vector<std::pair<Words, std::string>> cases = {
        {{}, "which subcommand"},
        {{"shards"}, "did you mean 'shard'"},
        {{"synth", "--linse", "3"}, "did you mean 'lines'"},
        {{"synth", "--output", out, "--size", "64"}, "HEIGHTxWIDTH"},
        {{"synth", "--output", out, "--layout", "v2"}, "unknown layout 'v2'"},
        {{"synth", "--output", out, "--generator", "3"}, "it must be 1 to 2"},
        {{"synth", "--output", out, "--part-size", "0.1"}, "it must be 0.5 to 100"},
        {{"synth", "--output", out, "--effects", "smoke"}, "unknown effect 'smoke'"},
        {{"synth", "--output", out, "--line-length", "2"}, "belongs to generator 1"},
        {{"synth", "--output", out, "--generator", "1", "--part-size", "4"},
         "belong to generator 2"},
        {{"synth", "--output", out, "--drift", "0.5"}, "--drift has 1 values"},
        {{"synth", "--output", out, "--drift", "0.5", "0.2"}, "highest quantile"},
        {{"synth"}, "--output"},
        {{"shard", "--input", missing, "--output", out}, "does not exist"},
        {{"shard", "--input", text, "--output", out}, "not a readable HDF5 file"},
        {{"shard", "--input", folder_.root(), "--output", out}, "is a directory"},
        {{"shard", "--input", text, "--output", out, "--split", "line"}, "unknown split 'line'"},
        {{"clips", "--input", text}, "--output"},
        {{"clips", "--input", missing, "--output", folder_.root()}, "is not a regular file"},
        {{"clips", "--input", missing, "--output", out + "/c.h5"}, "folder that does not exist"},
        {{"inspect", missing, "--montage", out + "/m.png"}, "folder that does not exist"}};
    for (const auto& [arguments, expected] : cases) {
        const Result result = run(arguments);
        EXPECT_EQ(result.code, 2) << result.output;
        EXPECT_THAT(result.output, HasSubstr(expected));
        EXPECT_EQ(std::count(result.output.begin(), result.output.end(), '\n'), 1) << result.output;
    }
    EXPECT_FALSE(fs::exists(out));
    EXPECT_EQ(run({"inspect", text}).code, 2) << "inspect describes what it can and says so";
}

/// The limit on the size of a file stands for a full disk: writing past it fails with EFBIG.
TEST_F(DataProgram, AFullDiskIsOneClearLineAndNothingIsLost) {
    const std::string input = make_recordings();
    const std::string output = folder_.path("shards"), clips = folder_.path("clips.h5");
    const Words shard = {"shard",    "--input", input,    "--output", output,
                         "--shards", "4",       "--seed", "1"};
    const std::vector<Words> commands = {
        shard,
        {"synth", "--output", folder_.path("more"), "--objects", "1", "--seed", "5"},
        {"clips", "--input", input, "--frames", "8", "--side", "32", "--center", "--output",
         clips}};
    for (const int blocks : {8, 60, 200}) {
        for (const Words& arguments : commands) {
            ChildOptions options = command(arguments);
            const Words shell = {
                "/bin/bash", "-c",
                fmt::format("trap '' XFSZ; ulimit -f {}; exec \"$0\" \"$@\"", blocks)};
            options.arguments.insert(options.arguments.begin(), shell.begin(), shell.end());
            const Result result = finish(options);
            EXPECT_EQ(result.code, 3) << arguments[0] << ": " << result.output;
            EXPECT_THAT(result.output, HasSubstr("File too large"));
            EXPECT_THAT(result.output, HasSubstr("check free space"));
            EXPECT_EQ(std::count(result.output.begin(), result.output.end(), '\n'), 1)
                << result.output;
        }
        EXPECT_EQ(finished_shards(output), 0U);
        EXPECT_FALSE(fs::exists(clips));
        EXPECT_TRUE(fs::is_empty(folder_.path("more")));
    }
    ASSERT_EQ(run(shard).code, 0) << "the same command goes on when there is space again";
    EXPECT_EQ(read_catalogue(output).shards.size(), 4U);
}

/// Opens a recording to change it as its owner would.
template <class Change>
void change_file(const std::string& path, const Change& change) {
    const hid_t file = H5Fopen(path.c_str(), H5F_ACC_RDWR, H5P_DEFAULT);
    ASSERT_GE(file, 0);
    change(file);
    ASSERT_GE(H5Fclose(file), 0);
}

/// Moves the frames of a layer to another file and leaves a virtual dataset that refers to them.
void make_frames_virtual(const std::string& path, const std::string& source) {
    { const hdf5::Handle file = hdf5::create_file(source); }
    change_file(source, [&](hid_t file) {
        H5Lcreate_external(path.c_str(), "/layer0001/frame", file, "/old", H5P_DEFAULT,
                           H5P_DEFAULT);
        ASSERT_GE(H5Ocopy(file, "/old", file, "/frame", H5P_DEFAULT, H5P_DEFAULT), 0);
        H5Ldelete(file, "/old", H5P_DEFAULT);
    });
    change_file(path, [&](hid_t file) {
        hdf5::Handle space;
        {
            const hdf5::Handle old(H5Dopen2(file, "/layer0001/frame", H5P_DEFAULT), H5Dclose);
            space = hdf5::Handle(H5Dget_space(old.get()), H5Sclose);
        }
        H5Ldelete(file, "/layer0001/frame", H5P_DEFAULT);
        const hdf5::Handle list(H5Pcreate(H5P_DATASET_CREATE), H5Pclose);
        H5Pset_virtual(list.get(), space.get(), fs::path(source).filename().c_str(), "/frame",
                       space.get());
        const hdf5::Handle frames(H5Dcreate2(file, "/layer0001/frame", H5T_STD_U8LE, space.get(),
                                             H5P_DEFAULT, list.get(), H5P_DEFAULT),
                                  H5Dclose);
        ASSERT_TRUE(frames.valid());
    });
}

/// What a recording refers to but does not hold: no command may go on with black frames.
TEST_F(DataProgram, WhatIsMissingInARecordingIsAnErrorWithItsPlace) {
    (void)make_recordings();
    const std::string path = folder_.path("raise") + "/C027.hdf5";
    const std::string source = folder_.path("raise") + "/frames.h5", out = folder_.path("out");
    const std::vector<Words> commands = {
        {"inspect", path},
        {"inspect", "--quick", path},
        {"shard", "--input", path, "--output", out, "--shards", "2"},
        {"clips", "--input", path, "--frames", "8", "--side", "32", "--center", "--output", out}};
    const auto expect_all = [&](const std::string& place, const std::string& reason) {
        for (const Words& arguments : commands) {
            const Result result = run(arguments);
            EXPECT_EQ(result.code, 2) << arguments[0] << ": " << result.output;
            EXPECT_THAT(result.output, HasSubstr(place)) << arguments[0];
            EXPECT_THAT(result.output, HasSubstr(reason)) << arguments[0];
            EXPECT_FALSE(fs::exists(out)) << "nothing half-made";
        }
    };
    make_frames_virtual(path, source);
    ASSERT_FALSE(HasFatalFailure());
    EXPECT_EQ(run(commands[2]).code, 0) << "the source is there";
    fs::remove_all(out);
    fs::rename(source, source + ".away");
    expect_all("/layer0001/frame", "from the file 'frames.h5', which is not there");
    fs::rename(source + ".away", source);
    change_file(path, [](hid_t file) {
        H5Lcreate_external("gone.h5", "/", file, "/layer0017", H5P_DEFAULT, H5P_DEFAULT);
    });
    expect_all("/layer0017", "in the file 'gone.h5', which cannot be opened");
}

TEST_F(DataProgram, ARecordingChangedInPlaceGivesNewShardsAndForceAlwaysDoes) {
    const std::string input = make_recordings(), output = folder_.path("shards");
    ASSERT_EQ(run(shard_command(input, output)).code, 0);
    const std::string before = read_catalogue(output).digest;
    const auto shard_time = [&] { return fs::last_write_time(output + "/shard-00003.h5"); };
    auto time = shard_time();
    ASSERT_EQ(run(shard_command(input, output)).code, 0);
    EXPECT_EQ(shard_time(), time) << "nothing changed: nothing is made again";
    Words forced = shard_command(input, output);
    forced.push_back("--force");
    ASSERT_EQ(run(forced).code, 0);
    EXPECT_NE(shard_time(), time);
    EXPECT_EQ(read_catalogue(output).digest, before) << "of the same recordings";
    const std::string path = folder_.path("raise") + "/C027.hdf5";
    change_file(path, [&](hid_t file) {
        const hdf5::Dataset frames = hdf5::open_dataset(file, {path, "/layer0002/frame"});
        const std::vector<std::uint8_t> grey(32 * 40, 200);
        hdf5::write_rows(frames, 5, 1, H5T_NATIVE_UINT8, grey.data());
    });
    const Result again = run(shard_command(input, output));
    ASSERT_EQ(again.code, 0) << again.output;
    EXPECT_THAT(again.output, HasSubstr("changed since the shards"));
    EXPECT_NE(read_catalogue(output).digest, before);
    ASSERT_EQ(run(shard_command(input, folder_.path("expected"))).code, 0);
    EXPECT_EQ(content(output), content(folder_.path("expected")));
}

TEST_F(DataProgram, OtherGroupsAndH5pysCompressionAreNoObstacle) {
    const std::string path = folder_.path("C030.hdf5");
    fs::copy(test::test_data("raise/lzf_by_h5py.hdf5"), path);
    change_file(path, [&](hid_t file) {
        for (const char* group : {"/entry", "/entry/instrument", "/metadata"})
            (void)hdf5::create_group(file, {path, group});
    });
    const Result inspected = run({"inspect", "--json", path});
    ASSERT_EQ(inspected.code, 0) << inspected.output;
    const Json report = parse_json(inspected.output, "inspect");
    EXPECT_EQ(report["files"][0]["layout"], "v1.1");
    EXPECT_EQ(report["files"][0]["layers"], 3);
    EXPECT_GT(report["files"][0]["mean_grey"], 5);
    const Result sharded =
        run({"shard", "--input", path, "--output", folder_.path("shards"), "--shards", "2"});
    EXPECT_EQ(sharded.code, 0) << sharded.output;
}

TEST_F(DataProgram, AFolderThatCannotBeSyncedIsNoError) {
    const std::string input = make_recordings();
    ChildOptions options = command(shard_command(input, folder_.path("shards")));
    options.add_environment = {"LD_PRELOAD=" + test::test_program("librefuse_folder_sync.so")};
    const Result result = finish(options);
    EXPECT_EQ(result.code, 0) << result.output;
    EXPECT_THAT(result.output, testing::Not(HasSubstr("preload"))) << "the library was not found";
}

TEST_F(DataProgram, ClipsStoppedOnTheWayLeaveNothing) {
    const std::string input = make_recordings(), clips = folder_.path("clips.h5");
    ChildProcess child(command({"clips", "--input", input, "--frames", "16", "--side", "224",
                                "--center", "--output", clips}));
    while (!fs::exists(clips + ".partial") && !child.poll())
        std::this_thread::sleep_for(std::chrono::microseconds(200));
    ::kill(child.pid(), SIGINT);
    const auto exit = child.wait_for(30);
    ASSERT_TRUE(exit.has_value());
    EXPECT_EQ(exit->code, 75) << read_file(folder_.path("output.txt"));
    EXPECT_FALSE(fs::exists(clips));
    EXPECT_FALSE(fs::exists(clips + ".partial"));
}

TEST_F(DataProgram, PrintedConfigurationIsAConfigFile) {
    const Result printed = run({"synth", "--seed", "9", "--lines", "3", "--print-config"});
    ASSERT_EQ(printed.code, 0);
    write_file_atomic(folder_.path("synth.ini"), printed.output);
    const Result again = run({"synth", "--config", folder_.path("synth.ini"), "--print-config"});
    EXPECT_EQ(again.output, printed.output);
}

/// A layer of `frames` frames of 128 x 128 grey pixels, 32 frames a line, written piece by piece.
void add_large_layer(hid_t file, const std::string& group, std::uint64_t frames) {
    constexpr std::uint64_t piece = 256, side = 128, frames_of_line = 32;
    const auto place = [&group](const char* name) {
        return hdf5::Place{"test file", group + name};
    };
    const hdf5::Handle handle = hdf5::create_group(file, place(""));
    const std::vector<std::uint8_t> pixels(piece * side * side, 77);
    const hdf5::Dataset dataset = hdf5::create_dataset(file, place("/frame"), H5T_STD_U8LE,
                                                       {frames, side, side}, {{16, side, side}, 0});
    for (std::uint64_t first = 0; first < frames; first += piece)
        hdf5::write_rows(dataset, first, piece, H5T_NATIVE_UINT8, pixels.data());
    std::vector<std::int64_t> index;
    std::vector<double> parameters;
    for (std::uint64_t i = 0; i < frames; ++i) index.push_back(std::int64_t(i / frames_of_line));
    for (std::uint64_t i = 0; i < frames / frames_of_line; ++i)
        parameters.insert(parameters.end(), {800, 200});
    hdf5::write_dataset(file, place("/scan_line_index"), H5T_STD_I64LE, H5T_NATIVE_INT64, {frames},
                        index.data());
    hdf5::write_dataset(file, place("/laser_params"), H5T_IEEE_F64LE, H5T_NATIVE_DOUBLE,
                        {frames / frames_of_line, 2}, parameters.data());
}

TEST_F(DataProgram, MemoryDoesNotGrowWithTheFile) {
#ifdef __SANITIZE_ADDRESS__
    GTEST_SKIP() << "the sanitizer keeps freed memory for a while";
#endif
    const std::string path = folder_.path("C001.hdf5");
    hdf5::Handle file = hdf5::create_file(path);
    for (int layer = 0; layer < 2; ++layer)
        add_large_layer(file.get(), fmt::format("/layer{:04}", layer), 12800);
    hdf5::close_written(file, path);
    ASSERT_GT(fs::file_size(path), 400'000'000U);
    ASSERT_EQ(run({"inspect", path}).code, 0);
    ASSERT_EQ(run({"shard", "--input", path, "--output", folder_.path("shards")}).code, 0);
    rusage usage{};
    ASSERT_EQ(::getrusage(RUSAGE_CHILDREN, &usage), 0);
    EXPECT_LT(usage.ru_maxrss, 250 * 1024) << "KiB";  // of 420 MB
}

}  // namespace
}  // namespace edgeloop
