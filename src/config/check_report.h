// Where the parts of the checker put what they find in one file. Internal to the folder.
#pragma once

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "config/check.h"

namespace holdfast::config {

class Report {
 public:
  explicit Report(std::string file) : file_(std::move(file)) {}

  // What the findings from here on are about, such as: component "orders".
  void set_subject(std::string subject) { subject_ = std::move(subject); }
  const std::string& subject() const { return subject_; }

  void add(Severity severity, int line, std::string field, std::string message, std::string suggestion = "") {
    if (findings_.size() < kFindingsMax) {
      findings_.push_back(
          {file_, line, severity, subject_, std::move(field), std::move(message), std::move(suggestion)});
    } else {
      ++left_out_;
      left_out_severity_ = std::max(left_out_severity_, severity);
    }
  }
  void error(int line, std::string field, std::string message, std::string suggestion = "") {
    add(Severity::error, line, std::move(field), std::move(message), std::move(suggestion));
  }
  // Whether more is kept: what only makes better findings need not be worked out when it is not.
  bool is_full() const { return findings_.size() >= kFindingsMax; }

  const std::string& file() const { return file_; }
  std::size_t left_out() const { return left_out_; }
  Severity left_out_severity() const { return left_out_severity_; }
  std::vector<Finding>& findings() { return findings_; }

 private:
  std::string file_;
  std::string subject_;
  std::vector<Finding> findings_;
  std::size_t left_out_ = 0;
  Severity left_out_severity_ = Severity::note;
};

}  // namespace holdfast::config
