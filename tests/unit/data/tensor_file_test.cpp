#include "edgeloop/data/tensor_file.hpp"

#include "support/places.hpp"

#include "edgeloop/core/atomic_file.hpp"
#include "edgeloop/core/error.hpp"

#include <gtest/gtest.h>
#include <hdf5.h>

namespace edgeloop::tensor_file_test {
namespace {

const std::string reference = test::test_data("reference/swin3d_b.h5");

TEST(TensorFile, ReadsArraysGroupsAndTexts) {
    const TensorFile file(reference);
    EXPECT_NE(file.text_attribute("architecture").value_or("").find("swin3d"), std::string::npos);
    EXPECT_EQ(file.text_attribute("other"), std::nullopt);
    const FloatArray input = file.require("input");
    EXPECT_EQ(input.shape, (std::vector<std::int64_t>{1, 1, 16, 57, 61}));
    EXPECT_EQ(input.values.size(), 16u * 57 * 61);
    EXPECT_EQ(file.require("loss").shape, std::vector<std::int64_t>{});
    const auto parameters = file.read_group("parameters");
    ASSERT_EQ(parameters.count("layers.0.blocks.1.attn.qkv.weight"), 1u);
    EXPECT_EQ(parameters.at("layers.0.blocks.1.attn.qkv.weight").shape,
              (std::vector<std::int64_t>{72, 24}));
    EXPECT_TRUE(file.read_group("gradients").empty());
    EXPECT_FALSE(file.read("gradients/any"));
}

TEST(TensorFile, RefusesWhatIsNotThere) {
    EXPECT_THROW(TensorFile("/no/such/file.h5"), ConfigError);
    const TensorFile file(reference);
    EXPECT_THROW(static_cast<void>(file.require("inputs")), ConfigError);
    EXPECT_THROW(static_cast<void>(file.require("parameters")), ConfigError);
    EXPECT_THROW(static_cast<void>(file.read_group("input")), ConfigError);
}

// A gradient that cannot be reached must not pass for one that is not there.
TEST(TensorFile, RefusesAGroupWithALinkThatLeadsNowhere) {
    const std::string path = testing::TempDir() + "dangling.h5";
    write_file_atomic(path, read_file(reference));
    const hid_t file = H5Fopen(path.c_str(), H5F_ACC_RDWR, H5P_DEFAULT);
    ASSERT_GE(H5Lcreate_soft("/nowhere", file, "parameters/zzz", H5P_DEFAULT, H5P_DEFAULT), 0);
    H5Fclose(file);
    EXPECT_THROW(static_cast<void>(TensorFile(path).read_group("parameters")), ConfigError);
}

TEST(TensorFile, RefusesATruncatedFile) {
    const std::string path = testing::TempDir() + "truncated.h5";
    write_file_atomic(path, read_file(reference).substr(0, 100000));
    EXPECT_THROW(TensorFile{path}, ConfigError);
}

}  // namespace
}  // namespace edgeloop::tensor_file_test
