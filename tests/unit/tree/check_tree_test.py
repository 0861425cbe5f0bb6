#!/usr/bin/env python3
"""Plants every violation that check_tree.py is there to catch, one at a time."""

import pathlib
import tempfile
import unittest

import check_tree

CLEAN = {
    "CMakeLists.txt": "project(x)\n",
    "proto/include/muster/ids.hpp": "#pragma once\n#include <string>\nstruct Id { std::string msgpack; };\n",
    "proto/codec.hpp": '#pragma once\n#include <muster/ids.hpp>\n#include "proto/limits.hpp"\n',
    "proto/codec.cpp": '#include "proto/codec.hpp"\n#include <msgpack.hpp>\n#include <nlohmann/json.hpp>\n',
    "proto/limits.hpp": "#pragma once\n",
    "cluster/core.hpp": '#pragma once\n#include "proto/codec.hpp"\n// std::thread and ::now( in a comment\n',
    "cluster/core.cpp": '#include "cluster/core.hpp"\nconst char* text = "unordered_map \\" zmq";\nint n = 1\'000;\n',
    "node/engine/loop.cpp": '#include <zmq.hpp>\n#include "cluster/core.hpp"\n#include <muster/node.hpp>\n',
    "node/include/muster/node.hpp": "#pragma once\n#include <muster/ids.hpp>\n// zmq::socket_t\n",
    "node/wire.hpp": '#pragma once\n#include "proto/codec.hpp"\n',
    "node/client/worker.cpp": '#include <zmq.hpp>\n#include "node/wire.hpp"\n#include <muster/worker.hpp>\n',
    "node/client/include/muster/worker.hpp": "#pragma once\n#include <functional>\n",
    "tests/sim/world.cpp": '#include "cluster/core.hpp"\n',
    "node/OPERATING.md": "| `gaps` | holes |\n",
    "tests/sim/coverage.cpp": 'const char* paths[] = {"gaps", "leaps"};\n',
    "scripts/build": "#!/bin/sh\n",
    "build/dev/generated.cpp": "x" * 500,
    ".git/config": "x" * 500,
}

LONG_BODY = "    x();\n" * 69


def function(signature):
    """A body of 71 lines, braces included."""
    return f"{signature} {{\n{LONG_BODY}}}\n"


class CheckTree(unittest.TestCase):
    def rules(self, **changes):
        with tempfile.TemporaryDirectory() as root:
            for name, text in {**CLEAN, **changes}.items():
                path = pathlib.Path(root) / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text)
            return [rule for rule, _ in check_tree.Tree(root).check()]

    def planted(self, name, text):
        return self.rules(**{name: CLEAN.get(name, "") + text})

    def assert_caught(self, rule, name, text):
        self.assertEqual(set(self.planted(name, text)), {rule}, f"{name}: {text[:200]!r}")

    def test_clean_tree(self):
        self.assertEqual(self.rules(), [])

    def test_counters_are_listed(self):
        self.assertEqual(set(self.planted("cluster/core.cpp", 'void f() { ctx.count("hops"); }\n')), {"paths", "guide"})
        self.assertEqual(self.planted("cluster/core.cpp", 'void f() { ctx.count("gaps"); }\n'), [])

    def test_counters_are_explained(self):
        self.assert_caught("guide", "cluster/core.cpp", 'void f() { ctx.count("leaps"); }\n')
        self.assert_caught("guide", "node/engine/loop.cpp", 'void f() { counters["frames"] = 1; }\n')
        self.assertEqual(self.planted("node/engine/loop.cpp", 'void f() { counters["gaps"] = 1; }\n'), [])

    def test_explained_counters_are_in_the_code(self):
        guide = "# Guide\n\n## Every counter\n\n| `gaps`, `hops` | both |\n\n## Every line\n\n| `leaps` | none |\n"
        pages = {"node/OPERATING.md": guide, "cluster/core.cpp": 'void f() { ctx.count("gaps"); }\n'}
        self.assertEqual(self.rules(**pages), ["guide"])
        metrics = {"node/daemon/counter_metrics.cpp": 'const char* name = "hops";\n'}
        self.assertEqual(self.rules(**pages, **metrics), ["guide"])
        shown = {"node/engine/loop.cpp": 'void f() { counters["hops"] = 1; }\n'}
        self.assertEqual(self.rules(**pages, **shown), [])

    def test_links_lead_somewhere(self):
        good = "# How it works\n[a](node/wire.hpp) [b](#how-it-works) [c](https://x.example/y#z)\n"
        self.assertEqual(self.rules(**{"README.md": good}), [])
        for link in ("node/none.hpp", "#how", "node/OPERATING.md#none"):
            self.assertEqual(self.rules(**{"README.md": good + f"[d]({link})\n"}), ["pages"], link)
        self.assertEqual(self.rules(**{"node/OPERATING.md": "| `gaps` | [a](../README.md) |\n"}), ["pages"])

    def test_readme_is_short(self):
        self.assertEqual(self.rules(**{"README.md": "x" * 8192}), [])
        self.assertEqual(self.rules(**{"README.md": "x" * 8193}), ["pages"])

    def test_folders(self):
        self.assert_caught("folders", "src/main.cpp", "")
        self.assertEqual(self.planted(".cache/index", ""), [])

    def test_includes_never_go_back(self):
        self.assert_caught("include", "proto/codec.cpp", '#include "cluster/core.hpp"\n')
        self.assert_caught("include", "cluster/core.cpp", '#include "node/wire.hpp"\n')
        self.assert_caught("include", "cluster/core.cpp", "  #  include <muster/node.hpp>\n")
        self.assert_caught("include", "node/client/worker.cpp", '#include "cluster/core.hpp"\n')
        self.assert_caught("include", "node/cli/main.cpp", '#include "cluster/core.hpp"\n')
        self.assert_caught("include", "tests/sim/world.cpp", '#include "node/wire.hpp"\n')
        self.assert_caught("include", "tests/unit/proto/codec_test.cpp", '#include "cluster/core.hpp"\n')

    def test_rooms_have_an_order(self):
        inside = "#pragma once\n"
        for name, included in (("cluster/base/context.hpp", "cluster/tables/replica.hpp"),
                               ("cluster/membership/peers.cpp", "cluster/tables/replica.hpp"),
                               ("cluster/tables/replica.cpp", "cluster/workers/sessions.hpp"),
                               ("cluster/event.hpp", "cluster/base/context.hpp"),
                               ("cluster/delivery/notifier.cpp", "cluster/core.hpp"),
                               ("node/io/clock.cpp", "node/engine/loop.hpp"),
                               ("node/engine/engine.cpp", "cluster/core_impl.hpp"),
                               ("node/engine/engine.cpp", "cluster/tables/replica.hpp")):
            changes = {included: CLEAN.get(included, inside), name: f'#include "{included}"\n'}
            self.assertEqual(set(self.rules(**changes)), {"order"}, f"{name} includes {included}")
        for name, included in (("cluster/tables/replica.cpp", "cluster/base/context.hpp"),
                               ("cluster/base/context.hpp", "cluster/event.hpp"),
                               ("cluster/core_impl.hpp", "cluster/delivery/notifier.hpp"),
                               ("node/engine/engine.cpp", "cluster/core.hpp"),
                               ("node/engine/engine.cpp", "node/sockets/door.hpp")):
            changes = {included: CLEAN.get(included, inside), name: f'#include "{included}"\n'}
            self.assertEqual(self.rules(**changes), [], f"{name} includes {included}")

    def test_client_reaches_cluster_through_nothing(self):
        self.assert_caught("include", "node/wire.hpp", '#include "cluster/core.hpp"\n')

    def test_includes_are_written_from_the_root(self):
        self.assert_caught("include", "node/engine/loop.cpp", '#include "wire.hpp"\n')
        self.assert_caught("include", "node/engine/loop.cpp", "#include <muster/unknown.hpp>\n")
        self.assert_caught("include", "node/engine/loop.cpp", '#include "proto/include/muster/ids.hpp"\n')

    def test_libraries(self):
        self.assert_caught("library", "node/engine/loop.cpp", "#include <msgpack.hpp>\n")
        self.assert_caught("library", "node/engine/loop.cpp", "#include <msgpack/unpack.hpp>\n")
        self.assert_caught("library", "tests/unit/sim/a.cpp", "#include <zmq.h>\n")
        self.assertIn("library", self.planted("proto/codec.cpp", "#include <zmq_addon.hpp>\n"))
        self.assert_caught("include", "cluster/core.cpp", "#include <nlohmann/json.hpp>\n")
        self.assert_caught("include", "cluster/core.cpp", "#include <unistd.h>\n")
        self.assert_caught("include", "proto/codec.cpp", "#include <spdlog/spdlog.h>\n")

    def test_public_headers(self):
        for text in ('#include "proto/limits.hpp"\n', "#include <nlohmann/json.hpp>\n", "zmq::socket_t socket;\n",
                     "void f(const proto::Message& m);\n", "cluster::Core* core;\n", "msgpack::object object;\n"):
            self.assert_caught("public", "node/include/muster/node.hpp", text)

    def test_cluster_is_pure(self):
        for text in ("auto t = Clock::now();\n", "std::random_device d;\n", "std::thread t;\n", "std::jthread t;\n",
                     "std::mutex m;\n", "zmq::context_t c;\n", "spdlog::info(1);\n", "#include <iostream>\n",
                     "std::chrono::steady_clock::time_point t;\n", "std::chrono::system_clock c;\n",
                     "#include <unordered_map>\n", "std::unordered_set<int> s;\n", "int x = rand();\n",
                     'auto* v = std::getenv("X");\n', "std::cerr << 1;\n"):
            self.assert_caught("pure", "cluster/core.cpp", text)
        self.assertEqual(self.planted("node/engine/loop.cpp", "std::mutex m; std::unordered_map<int, int> u;\n"), [])

    def test_functions(self):
        for signature in ("void f()", "int Class::f(int x) const noexcept", "TEST(Suite, Name)", "auto f() -> V<int>",
                          "template <class T> T f(T t)", "template <class A, class B = X<A>>\nstruct A B::f(A a)",
                          "Class::Class(int x) : a_(x), b_{x}", "Class::Class(int x) : a_{x}, b_(x)",
                          "bool operator==(const A& a, const B& b)"):
            self.assert_caught("function", "node/engine/loop.cpp", function(signature))
            shorter = function(signature).replace("    x();\n", "", 1)
            self.assertEqual(self.planted("node/engine/loop.cpp", shorter), [], signature)
        for frame in ("namespace a {{\n{}}}\n", "class A : public B {{\npublic:\n{}}};\n", 'extern "C" {{\n{}}}\n',
                      "namespace {{\nstruct A final {{\n{}}};\n}}\n"):
            self.assert_caught("function", "node/engine/loop.cpp", frame.format(function("void f()")))

    def test_braces_in_texts_and_comments_are_none(self):
        noise = 'const char* a = "{{{"; char b = \'{\'; // {{{\n/* {{{ */ auto c = R"x({{{ )" )x";\n'
        self.assert_caught("function", "node/engine/loop.cpp", noise + function("void f()"))

    def test_tables_and_classes_may_be_long(self):
        rows = "    {1, 2},\n" * 100
        self.assertEqual(self.planted("node/engine/loop.cpp", f"const Row kRows[] = {{\n{rows}}};\n"), [])
        self.assertEqual(self.planted("node/engine/loop.cpp", f"void f() {{\n}}\nconst Map kMap{{\n{rows}}};\n"), [])
        self.assertEqual(self.planted("node/engine/loop.cpp", "struct A {\n" + "    int x = f();\n" * 100 + "};\n"), [])

    def test_lines(self):
        for name in ("node/engine/loop.cpp", "node/wire.hpp", "scripts/build", "CMakeLists.txt", "tests/x.py"):
            self.assert_caught("line", name, ("// " if "pp" in name else "#  ") + "x" * 118 + "\n")
        self.assertEqual(self.planted("node/engine/loop.cpp", "// " + "x" * 117 + "\n"), [])
        self.assertEqual(self.planted("proto/PAGE.md", "x" * 500), [])

    def test_leftovers(self):
        for word in check_tree.LEFTOVER:
            self.assert_caught("leftover", "node/engine/loop.cpp", f"// {word} later\n")
            self.assert_caught("leftover", "proto/PAGE.md", f"see {word}\n")
            self.assert_caught("leftover", "scripts/build", f"cd {word}\n")


if __name__ == "__main__":
    unittest.main()
