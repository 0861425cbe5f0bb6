#include "node/keys/key_pair.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>

#include "node/keys/key_file.hpp"
#include "tests/unit/node/keys/folder.hpp"

namespace muster::keys {
namespace {

unsigned mode_of(const std::string& path) {
    struct stat about {};
    return ::stat(path.c_str(), &about) == 0 ? about.st_mode & 0777 : 0;
}

std::string secret_in(const std::string& text) {
    const std::string before = "secret-key = \"";
    return text.substr(text.find(before) + before.size(), kZ85);
}

TEST(KeyPair, IsTheSameAfterAWriteAndARead) {
    const Folder folder;
    const auto pair = KeyPair::generate();
    const auto made = make_key_files(pair, folder.path(), "a");
    ASSERT_TRUE(made) << made.error().text;
    const auto read = KeyPair::load(made->secret);
    ASSERT_TRUE(read) << read.error().text;
    EXPECT_EQ(read->public_key(), pair.public_key());
    EXPECT_EQ(read->sign_key(), pair.sign_key());
    const auto open = read_key_file(made->open, false);
    ASSERT_TRUE(open) << open.error().text;
    EXPECT_EQ(open->public_key, pair.public_key());
    EXPECT_EQ(open->sign_key, pair.sign_key());
    EXPECT_FALSE(open->secret_key);
}

TEST(KeyPair, SecretFileIsForItsOwnerAlone) {
    const Folder folder;
    const auto before = ::umask(0);
    const auto made = make_key_files(KeyPair::generate(), folder.path(), "a");
    ::umask(before);
    ASSERT_TRUE(made);
    EXPECT_EQ(mode_of(made->secret), 0600U);
    for (const unsigned mode : {0640U, 0604U, 0644U, 0610U}) {
        ASSERT_EQ(::chmod(made->secret.c_str(), mode), 0);
        const auto read = KeyPair::load(made->secret);
        ASSERT_FALSE(read) << mode;
        EXPECT_NE(read.error().text.find("chmod 600"), std::string::npos) << read.error().text;
    }
}

TEST(KeyPair, FilesAreNeverOverwritten) {
    const Folder folder;
    ASSERT_TRUE(make_key_files(KeyPair::generate(), folder.path(), "a"));
    const auto secret = folder.text_of("a.key");
    const auto open = folder.text_of("a.pub");
    EXPECT_FALSE(make_key_files(KeyPair::generate(), folder.path(), "a"));
    std::filesystem::remove(folder.path("a.pub"));
    EXPECT_FALSE(make_key_files(KeyPair::generate(), folder.path(), "a"));
    EXPECT_EQ(folder.text_of("a.key"), secret);
    EXPECT_FALSE(std::filesystem::exists(folder.path("a.pub"))) << "half of a pair was left";
    EXPECT_NE(open, "");
}

TEST(KeyPair, NameOfAFileIsAName) {
    const Folder folder;
    for (const char* name : {"", "../a", "a/b", ".a", "a b"})
        EXPECT_FALSE(make_key_files(KeyPair::generate(), folder.path(), name)) << name;
}

TEST(KeyPair, SignatureIsOfTheseBytesAndThisKey) {
    const auto pair = KeyPair::generate();
    const auto signature = pair.sign("bytes");
    EXPECT_EQ(signature.size(), 64U);
    EXPECT_TRUE(is_signature(pair.sign_key(), "bytes", signature));
    EXPECT_FALSE(is_signature(pair.sign_key(), "bytez", signature));
    EXPECT_FALSE(is_signature(pair.sign_key(), "bytes", signature.substr(1)));
    EXPECT_FALSE(is_signature(pair.sign_key(), "bytes", ""));
    EXPECT_FALSE(is_signature(KeyPair::generate().sign_key(), "bytes", signature));
    EXPECT_TRUE(is_signature(pair.sign_key(), "", pair.sign("")));
}

/// Of this secret key, which is 1, 2, … 32, the derived key never changes: other nodes have it on file.
TEST(KeyPair, SignKeyIsDerivedForEver) {
    const Folder folder;
    folder.write("a.key",
                 "public-key = \"2CVWV6D&QXW]Ii55A)@qco1MAyn+7#3/w+9Xnrjk\"\n"
                 "secret-key = \"0rJua1Qkhq2)}4G4gS)W5Ft->6=4P585:Cl9uDpB\"\n");
    ASSERT_EQ(::chmod(folder.path("a.key").c_str(), 0600), 0);
    const auto pair = KeyPair::load(folder.path("a.key"));
    ASSERT_TRUE(pair) << pair.error().text;
    EXPECT_EQ(to_z85(pair->sign_key()), "zhnQFToR8){CVkmraQQ)UhOu@?@{n$l]17!/CIcz");
}

TEST(KeyPair, ErrorsNameTheFileAndNeverQuoteIt) {
    const Folder folder;
    ASSERT_TRUE(make_key_files(KeyPair::generate(), folder.path(), "a"));
    const auto text = folder.text_of("a.key");
    const auto secret = secret_in(text);
    ASSERT_EQ(secret.size(), kZ85);
    const std::string wrong_ones[] = {
        text + text,                                                                 // twice
        "public-key = \"short\"\n",                                                  // no key
        "secret-key = " + secret + "\n",                                             // no quotes
        "secret-key = \"" + secret + "x\"\n",                                        // too long
        text.substr(0, text.find("secret-key")),                                     // no secret
        text.substr(text.find("secret-key")),                                        // no public key
        "public-key = \"" + secret + "\"\n" + text.substr(text.find("secret-key")),  // no pair
        std::string(5000, '#'),
        std::string(kZ85, '\0'),
    };
    for (const auto& wrong : wrong_ones) {
        folder.write("a.key", wrong);
        const auto pair = KeyPair::load(folder.path("a.key"));
        ASSERT_FALSE(pair) << wrong;
        EXPECT_NE(pair.error().text.find("a.key"), std::string::npos);
        EXPECT_EQ(pair.error().text.find('\n'), std::string::npos);
        for (std::size_t at = 0; at + 8 <= secret.size(); at += 4)
            EXPECT_EQ(pair.error().text.find(secret.substr(at, 8)), std::string::npos) << pair.error().text;
    }
    EXPECT_FALSE(KeyPair::load(folder.path("none.key")));
    EXPECT_FALSE(KeyPair::load(folder.path()));
}

TEST(KeyFile, OtherToolsCertificatesAreRead) {
    const Folder folder;
    folder.write("a.pub",
                 "#   ****  Generated by pyzmq  ****\n\nmetadata\n    name = \"x\"\ncurve\n"
                 "    public-key = \"Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID\"\r\n");
    const auto file = read_key_file(folder.path("a.pub"), false);
    ASSERT_TRUE(file) << file.error().text;
    EXPECT_EQ(to_z85(*file->public_key), "Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID");
}

}  // namespace
}  // namespace muster::keys
