#include "ads/json_tree.h"

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <nlohmann/json.hpp>

#include "ads/campaign_check.h"
#include "fmt/format.h"

namespace adagents::ads::internal {
namespace {

/// Tells where the parser is: after the last character that it took.
class Position {
 public:
  explicit Position(std::string_view text) : at_(text.data()), counted_(text.data()) {}
  void MoveTo(const char* at) { at_ = at; }

  /// The line of the last character taken; of a number's end the parser takes one more, which, when
  /// it is a line's end, still belongs to that line. Lines are counted once.
  int Line() {
    const char* last = std::max(counted_, at_ - (at_ > counted_ ? 1 : 0));
    line_ += static_cast<int>(std::count(counted_, last, '\n'));
    counted_ = last;
    return line_;
  }

 private:
  const char* at_;
  const char* counted_;
  int line_ = 1;
};

class TrackingIterator {
 public:
  using iterator_category = std::input_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = const char&;

  TrackingIterator(const char* at, Position* position) : at_(at), position_(position) {}
  reference operator*() const { return *at_; }
  TrackingIterator& operator++() {
    position_->MoveTo(++at_);
    return *this;
  }
  TrackingIterator operator++(int) {
    TrackingIterator before = *this;
    ++*this;
    return before;
  }
  bool operator==(const TrackingIterator& other) const { return at_ == other.at_; }
  bool operator!=(const TrackingIterator& other) const { return at_ != other.at_; }

 private:
  const char* at_;
  Position* position_;
};

/// Builds nodes; the parser calls it. Every function returns false to stop.
class TreeBuilder : public nlohmann::json_sax<nlohmann::json> {
 public:
  using Item = absl::FunctionRef<void(size_t, JsonNode)>;
  using Other = absl::FunctionRef<void(std::string_view, const JsonNode&)>;

  TreeBuilder(Position* position, std::string_view list, Item item, Other other, JsonFault* fault)
      : position_(position), list_(list), item_(item), other_(other), fault_(fault) {}

  bool null() override { return Add(New(JsonNode::Kind::kNull)); }
  bool boolean(bool value) override {
    JsonNode node = New(JsonNode::Kind::kBool);
    node.flag = value;
    return Add(std::move(node));
  }
  bool number_integer(number_integer_t value) override {
    return AddNumber(static_cast<double>(value));
  }
  bool number_unsigned(number_unsigned_t value) override {
    return AddNumber(static_cast<double>(value));
  }
  bool number_float(number_float_t value, const string_t&) override { return AddNumber(value); }
  bool string(string_t& value) override {
    JsonNode node = New(JsonNode::Kind::kText);
    node.text = std::move(value);
    return Add(std::move(node));
  }
  bool binary(binary_t&) override { return Stop("binary data"); }

  bool start_object(std::size_t) override { return Open(New(JsonNode::Kind::kObject)); }
  bool start_array(std::size_t) override { return Open(New(JsonNode::Kind::kList)); }
  bool end_object() override { return Close(); }
  bool end_array() override { return Close(); }
  bool key(string_t& key) override {
    const JsonNode& object = open_.back().node;
    if (object.Find(key) != nullptr || (open_.size() == 1 && key == list_ && list_seen_)) {
      return Stop("the key " + Quoted(key) + " stands twice in one object");
    }
    if (object.members.size() >= kMaxMembers) {
      return Stop(fmt::format("more than {} members in one object", kMaxMembers));
    }
    open_.back().key = std::move(key);
    return true;
  }

  bool parse_error(std::size_t, const std::string&, const nlohmann::json::exception& e) override {
    // "[json.exception.parse_error.101] parse error at line 1, column 2: syntax error ...": the
    // position is said by us, and what was read last may be anything.
    std::string_view what = e.what();
    if (const size_t end = what.find("] "); end != std::string_view::npos) {
      what.remove_prefix(end + 2);
    }
    if (const size_t colon = what.find(": ");
        what.starts_with("parse error") && colon != std::string_view::npos) {
      what.remove_prefix(colon + 2);
    }
    const std::string quoted = Quoted(what.substr(0, 200), 200);
    return Stop("not JSON: " + quoted.substr(1, quoted.size() - 2));
  }

  bool list_seen() const { return list_seen_; }

 private:
  struct OpenNode {
    JsonNode node;
    std::string key;  // of the member that comes next
  };

  JsonNode New(JsonNode::Kind kind) {
    JsonNode node;
    node.kind = kind;
    node.line = position_->Line();
    return node;
  }
  bool AddNumber(double value) {
    JsonNode node = New(JsonNode::Kind::kNumber);
    node.number = value;
    return Add(std::move(node));
  }
  bool InList() const { return open_.size() == 2 && open_[0].key == list_; }
  bool Stop(std::string what) {
    fault_->line = position_->Line();
    if (open_.size() >= 2 && open_[0].key == list_)
      fault_->path = fmt::format("{}[{}]", list_, index_);
    fault_->what = std::move(what);
    return false;
  }
  bool Open(JsonNode node) {
    if (open_.size() >= kMaxDepth) return Stop(fmt::format("nested deeper than {}", kMaxDepth));
    if (open_.empty() && node.kind != JsonNode::Kind::kObject) return NotAnObject();
    open_.push_back({std::move(node), {}});
    return true;
  }
  bool Close() {
    JsonNode node = std::move(open_.back().node);
    open_.pop_back();
    return open_.empty() || Add(std::move(node));
  }
  bool NotAnObject() { return Stop(fmt::format("must be an object with a list \"{}\"", list_)); }
  bool Add(JsonNode node) {
    if (open_.empty()) return NotAnObject();
    if (InList()) {
      item_(index_++, std::move(node));
      return true;
    }
    OpenNode& parent = open_.back();
    if (open_.size() == 1) return AddToOutermost(parent, std::move(node));
    if (parent.node.kind == JsonNode::Kind::kList) {
      parent.node.items.push_back(std::move(node));
    } else {
      node.key = std::move(parent.key);
      parent.node.members.push_back(std::move(node));
    }
    return true;
  }
  bool AddToOutermost(OpenNode& parent, JsonNode node) {
    if (parent.key == list_) {
      list_seen_ = true;
      if (node.kind == JsonNode::Kind::kList) return true;
      fault_->path = list_;
      return Stop(fmt::format("must be a list, got {}", KindName(node.kind)));
    }
    other_(parent.key, node);
    return true;
  }

  Position* position_;
  std::string_view list_;
  Item item_;
  Other other_;
  JsonFault* fault_;
  std::vector<OpenNode> open_;
  size_t index_ = 0;
  bool list_seen_ = false;
};

}  // namespace

const JsonNode* JsonNode::Find(std::string_view wanted) const {
  for (const JsonNode& member : members) {
    if (member.key == wanted) return &member;
  }
  return nullptr;
}

std::string_view KindName(JsonNode::Kind kind) {
  switch (kind) {
    case JsonNode::Kind::kNull:
      return "null";
    case JsonNode::Kind::kBool:
      return "true or false";
    case JsonNode::Kind::kNumber:
      return "a number";
    case JsonNode::Kind::kText:
      return "text";
    case JsonNode::Kind::kList:
      return "a list";
    case JsonNode::Kind::kObject:
      return "an object";
  }
  return "unknown";
}

bool ReadJsonList(std::string_view text, std::string_view list,
                  absl::FunctionRef<void(size_t, JsonNode)> item,
                  absl::FunctionRef<void(std::string_view, const JsonNode&)> other,
                  JsonFault* fault) {
  Position position(text);
  TreeBuilder builder(&position, list, item, other, fault);
  if (!nlohmann::json::sax_parse(TrackingIterator(text.data(), &position),
                                 TrackingIterator(text.data() + text.size(), &position),
                                 &builder)) {
    return false;
  }
  if (builder.list_seen()) return true;
  fault->line = position.Line();
  fault->what = fmt::format("the list \"{}\" is missing", list);
  return false;
}

}  // namespace adagents::ads::internal
