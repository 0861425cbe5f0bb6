// A visitor of variants from lambdas.
#pragma once

namespace muster::node {

/// std::visit(Overloaded{[](const A&) {}, [](const B&) {}}, variant). Does not compile when an alternative has no
/// overload.
template <class... F>
struct Overloaded : F... {
    using F::operator()...;
};
template <class... F>
Overloaded(F...) -> Overloaded<F...>;

}  // namespace muster::node
