// A small strict XML reader, so that tests see markup as a player's parser would. Anything that is
// not well-formed fails the test.
#pragma once

#include <map>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace adagents::test {

struct Xml {
  std::string name, text;
  std::map<std::string, std::string> attributes;
  std::vector<Xml> children;

  /// The first child of that name, and so on along a path such as "Ad/InLine".
  const Xml& At(std::string_view path) const {
    const size_t slash = path.find('/');
    const std::string_view head = path.substr(0, slash);
    for (const Xml& child : children) {
      if (child.name != head) continue;
      return slash == std::string_view::npos ? child : child.At(path.substr(slash + 1));
    }
    throw std::runtime_error("no element " + std::string(head) + " in " + name);
  }

  /// `empty`: elements that have no end tag, as in HTML.
  static Xml Parse(std::string_view text, std::set<std::string> empty = {}) {
    Parser parser{text, 0, std::move(empty)};
    Xml root = parser.Element();
    if (parser.at != text.size()) parser.Fail("text after the root");
    return root;
  }

 private:
  struct Parser {
    std::string_view in;
    size_t at;
    std::set<std::string> empty;

    [[noreturn]] void Fail(const std::string& why) const {
      throw std::runtime_error("XML: " + why + " at " + std::to_string(at) + " of " +
                               std::string(in));
    }
    char Peek() const { return at < in.size() ? in[at] : '\0'; }
    bool Take(std::string_view token) {
      if (!in.substr(at).starts_with(token)) return false;
      at += token.size();
      return true;
    }
    void Need(std::string_view token) {
      if (!Take(token)) Fail("expected " + std::string(token));
    }
    std::string Name() {
      const size_t from = at;
      while (std::string_view(" =<>/'\"").find(Peek()) == std::string_view::npos && Peek() != 0)
        ++at;
      if (at == from) Fail("expected a name");
      return std::string(in.substr(from, at - from));
    }
    void Character(std::string* out) {
      if (Peek() != '&') {
        if (static_cast<unsigned char>(Peek()) < 0x20) Fail("control character");
        out->push_back(in[at++]);
        return;
      }
      const size_t end = in.find(';', at);
      if (end == std::string_view::npos) Fail("open reference");
      const std::string_view reference = in.substr(at + 1, end - at - 1);
      static const std::map<std::string_view, char> kNamed = {
          {"lt", '<'}, {"gt", '>'}, {"amp", '&'}, {"quot", '"'}, {"apos", '\''}};
      if (const auto named = kNamed.find(reference); named != kNamed.end()) {
        out->push_back(named->second);
      } else if (reference.starts_with("#")) {
        out->push_back(static_cast<char>(std::stoi(std::string(reference.substr(1)))));
      } else {
        Fail("unknown reference");
      }
      at = end + 1;
    }
    Xml Element() {
      Xml out;
      Need("<");
      out.name = Name();
      while (Take(" ")) {
        const std::string key = Name();
        Need("=");
        const char quote = Peek();
        if (quote != '\'' && quote != '"') Fail("expected a quote");
        ++at;
        std::string value;
        while (Peek() != quote) {
          if (Peek() == '<' || at >= in.size()) Fail("open attribute");
          Character(&value);
        }
        ++at;
        if (!out.attributes.emplace(key, value).second) Fail("attribute twice");
      }
      if (Take("/>")) return out;
      Need(">");
      if (empty.count(out.name) != 0) return out;
      while (!Take("</")) {
        if (at >= in.size()) Fail("element " + out.name + " not closed");
        if (Take("<![CDATA[")) {
          const size_t end = in.find("]]>", at);
          if (end == std::string_view::npos) Fail("open CDATA");
          out.text += in.substr(at, end - at);
          at = end + 3;
        } else if (Peek() == '<') {
          out.children.push_back(Element());
        } else {
          if (in.substr(at).starts_with("]]>")) Fail("]]> in text");
          Character(&out.text);
        }
      }
      Need(out.name);
      Need(">");
      return out;
    }
  };
};

}  // namespace adagents::test
