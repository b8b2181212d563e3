// A recording that somebody else made, through the programs that read it: it shows nothing but
// itself, makes nobody wait and uses up little. And a signal ends a program, whatever it waits for.
#include "data/hdf5.hpp"
#include "support/eventually.hpp"
#include "support/programs.hpp"
#include "support/temporary_folder.hpp"

#include "edgeloop/core/atomic_file.hpp"
#include "edgeloop/core/clock.hpp"

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <functional>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

namespace edgeloop::test {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;
using Words = std::vector<std::string>;

class HostileRecording : public testing::Test {
  protected:
    HostileRecording() {
        fs::create_directory(folder_.path("elsewhere"));
        make();
    }

    /// A recording of small layers.
    void make() const {
        const ProgramResult made =
            data({"synth", "--output", folder_.path("own"), "--objects", "1", "--layers", "5",
                  "--lines", "4", "--size", "32x40", "--generator", "1", "--line-length", "0.3"});
        ASSERT_EQ(made.code, 0) << made.output;
    }
    [[nodiscard]] ProgramResult data(Words words) const {
        words.insert(words.begin(), program("edgeloop-data"));
        return run(words, 60);
    }
    /// All that reads recordings.
    [[nodiscard]] std::vector<Words> commands(const Words& more = {}) const {
        std::vector<Words> all = {{"inspect", path_},
                                  {"inspect", "--quick", path_},
                                  {"shard", "--input", path_, "--output", out_, "--shards", "2"},
                                  {"clips", "--input", path_, "--frames", "4", "--side", "16",
                                   "--center", "--output", out_}};
        for (Words& words : all) words.insert(words.end(), more.begin(), more.end());
        return all;
    }
    void expect_refused(const std::string& place, const std::string& reason,
                        const Words& more = {}) const {
        for (const Words& words : commands(more)) {
            const ProgramResult result = data(words);
            EXPECT_FALSE(result.timed_out) << words[0];
            EXPECT_EQ(result.code, 2) << words[0] << ": " << result.output;
            EXPECT_THAT(result.output, AllOf(HasSubstr(place), HasSubstr(reason))) << words[0];
            const auto lines = std::count(result.output.begin(), result.output.end(), '\n');
            EXPECT_TRUE(words[0] == "inspect" || lines == 1) << result.output;
            EXPECT_FALSE(fs::exists(out_)) << "nothing half-made";
        }
    }
    void change(const std::function<void(hid_t)>& change) const {
        const hid_t file = H5Fopen(path_.c_str(), H5F_ACC_RDWR, H5P_DEFAULT);
        ASSERT_GE(file, 0);
        change(file);
        ASSERT_GE(H5Fclose(file), 0);
    }
    /// The data of a dataset come from another file.
    void store_in(const std::string& object, const std::string& raw) const {
        change([&](hid_t file) {
            hdf5::Handle type, space;
            {
                const hdf5::Handle old(H5Dopen2(file, object.c_str(), H5P_DEFAULT), H5Dclose);
                type = hdf5::Handle(H5Dget_type(old.get()), H5Tclose);
                space = hdf5::Handle(H5Dget_space(old.get()), H5Sclose);
            }
            H5Ldelete(file, object.c_str(), H5P_DEFAULT);
            const hdf5::Handle list(H5Pcreate(H5P_DATASET_CREATE), H5Pclose);
            H5Pset_external(list.get(), raw.c_str(), 0, H5F_UNLIMITED);
            const hdf5::Handle fresh(H5Dcreate2(file, object.c_str(), type.get(), space.get(),
                                                H5P_DEFAULT, list.get(), H5P_DEFAULT),
                                     H5Dclose);
            ASSERT_TRUE(fresh.valid());
        });
    }
    /// A recording of one layer whose frames, and nothing else, were declared.
    void declare(std::uint64_t frames, std::uint64_t side, std::uint64_t chunk_frames) const {
        hdf5::Handle file = hdf5::create_file(path_);
        {
            const hdf5::Handle group = hdf5::create_group(file.get(), {path_, "/layer0000"});
            for (const char* name : {"/layer0000/frame", "/layer0000/scan_line_index"})
                (void)hdf5::create_dataset(file.get(), {path_, name}, H5T_STD_U8LE,
                                           {frames, side, side}, {{chunk_frames, side, side}, 9});
        }
        hdf5::close_written(file, path_);
    }

    TemporaryFolder folder_;
    const std::string path_ = folder_.path("own/C027.hdf5"), out_ = folder_.path("out");
};

TEST_F(HostileRecording, DoesNotShowAnotherFileOfItsReader) {
    const std::string secret = folder_.path("elsewhere/secret");
    write_file_atomic(secret, std::string(10'000'000, 's'));
    for (const std::string name : {"frame", "scan_line_index", "laser_params"}) {
        make();
        store_in("/layer0001/" + name, secret);
        expect_refused("'/layer0001/" + name + "': its data are in the file '" + secret + "'",
                       "--allow-external");
    }
    make();
    store_in("/layer0001/frame", secret);
    for (const Words& words : commands({"--allow-external"})) {
        const ProgramResult result = data(words);
        EXPECT_EQ(result.code, 0) << words[0] << ": " << result.output;
        fs::remove_all(out_);
    }
    make();
    change([&](hid_t file) {
        H5Ldelete(file, "/layer0001", H5P_DEFAULT);
        H5Lcreate_external("../elsewhere/other.h5", "/layer0001", file, "/layer0001", H5P_DEFAULT,
                           H5P_DEFAULT);
    });
    fs::copy(path_, folder_.path("elsewhere/other.h5"));
    expect_refused("'/layer0001' is a link to '/layer0001' in the file '../elsewhere/other.h5'",
                   "--allow-external");
}

TEST_F(HostileRecording, MakesNobodyWaitForAPipe) {
    const std::string pipe = folder_.path("own/pipe");
    ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
    for (const std::string name : {"frame", "scan_line_index"}) {
        make();
        store_in("/layer0000/" + name, pipe);
        for (const Words& more : {Words{}, Words{"--allow-external"}})
            expect_refused("/layer0000/" + name, "which is no regular file", more);
    }
    fs::remove(path_);
    fs::rename(pipe, path_);
    expect_refused(path_, "is not a regular file");
}

TEST_F(HostileRecording, DoesNotMakeMuchOfLittle) {
    declare(std::uint64_t(1) << 27, 1, std::uint64_t(1) << 20);
    EXPECT_LT(fs::file_size(path_), 10'000U);
    expect_refused("/layer0000/frame", "its 134217728 bytes of data would be made of");
    declare(std::uint64_t(1) << 24, 8, std::uint64_t(1) << 24);  // a chunk of 1 GiB
    expect_refused("/layer0000/frame", "have more than 64 MiB");
}

TEST_F(HostileRecording, ASignalEndsAProgramThatAFileSystemHolds) {
    const std::string sign = folder_.path("hangs");
    ChildOptions options;
    options.arguments = commands()[2];
    options.arguments.insert(options.arguments.begin(), program("edgeloop-data"));
    options.output_file = folder_.path("output");
    options.add_environment = {"LD_PRELOAD=" + test_program("libhang_on_rename.so"),
                               "EDGELOOP_TEST_HANGS=" + sign};
    ChildProcess child(options);
    ASSERT_TRUE(eventually([&] { return fs::exists(sign) || child.poll(); }));
    ::kill(child.pid(), SIGTERM);
    const auto exit = child.wait_for(30);
    ASSERT_TRUE(exit) << "only SIGKILL would have ended it";
    EXPECT_EQ(exit->code, 75) << read_file(options.output_file);
    EXPECT_THAT(read_file(options.output_file), HasSubstr("ended by a signal"));
    for (const auto& entry : fs::directory_iterator(out_)) {
        const std::string name = entry.path().filename().string();
        EXPECT_THAT(name, testing::AnyOf(HasSubstr(".tmp"), HasSubstr(".partial")))
            << "half of a file has its name";
    }
    const ProgramResult again = data(commands()[2]);
    EXPECT_EQ(again.code, 0) << again.output;
}

TEST_F(HostileRecording, ASignalEndsTheGeneratorInItsWork) {
    const std::string large = folder_.path("large");
    ChildOptions options;
    options.arguments = {program("edgeloop-data"),
                         "synth",
                         "--output",
                         large,
                         "--objects",
                         "900",
                         "--layers",
                         "100",
                         "--lines",
                         "200"};
    options.output_file = folder_.path("output");
    ChildProcess child(options);
    ASSERT_TRUE(eventually(
        [&] { return (fs::exists(large) && !fs::is_empty(large)) || child.poll().has_value(); }));
    ::kill(child.pid(), SIGTERM);
    const auto exit = child.wait_for(30);
    ASSERT_TRUE(exit);
    EXPECT_EQ(exit->code, 75) << read_file(options.output_file);
}

}  // namespace
}  // namespace edgeloop::test
