// muster keygen
#include "node/cli/commands.hpp"
#include "node/cli/output.hpp"
#include "node/keys/key_pair.hpp"

namespace muster::cli {

int keygen(const Settings& settings, const KeygenArguments& arguments) {
    const auto pair = keys::KeyPair::generate();
    const auto files = keys::make_key_files(pair, arguments.folder, arguments.name, arguments.replaces);
    if (!files) return fail(files.error());
    const auto text = keys::to_z85(pair.public_key());
    if (settings.json)
        print_json({{"name", arguments.name}, {"key", files->secret}, {"pub", files->open}, {"public_key", text}});
    else
        print(files->secret + " (secret) and " + files->open + ": " + text);
    return kDone;
}

}  // namespace muster::cli
