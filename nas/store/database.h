// SQLite in C++: a connection, a statement, a transaction. Errors are thrown, naming the file.
#pragma once

#include <concepts>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

struct sqlite3;
struct sqlite3_stmt;

namespace adwp::nas {

class Database;

// Values are given for the ?s from left to right; then rows are stepped through.
//
//   Statement rows = database.prepare("SELECT id FROM candidates WHERE params < ?");
//   rows.bind(20000);
//   while (rows.step()) use(rows.text(0));
class Statement {
 public:
  Statement(const Database& database, std::string_view sql);

  // Begins anew with these values: whole numbers, doubles, texts, and optional ones (nothing: NULL).
  template <typename... Values>
  Statement& bind(const Values&... values) {
    reset();
    int place = 0;
    (bind_one(++place, values), ...);
    return *this;
  }
  bool step();  // false: no further row
  void run() {
    while (step()) {
    }
  }

  // Of the row at hand; columns count from 0.
  bool null(int column) const;
  std::int64_t integer(int column) const;
  double real(int column) const;
  std::string text(int column) const;
  std::optional<double> optional_real(int column) const;

 private:
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const;
  };
  void reset();
  void bind_one(int place, std::integral auto value) { bind_integer(place, value); }
  void bind_one(int place, double value);
  void bind_one(int place, std::string_view text);
  void bind_one(int place, const std::string& text) { bind_one(place, std::string_view(text)); }
  template <typename T>
  void bind_one(int place, const std::optional<T>& value) {
    if (value) bind_one(place, *value);  // reset() left NULL in its place
  }
  void bind_integer(int place, std::int64_t value);

  const Database& database_;
  std::unique_ptr<sqlite3_stmt, Finalize> statement_;
};

class Database {
 public:
  // Opens `path`, or creates it, with a write-ahead log (WAL): readers do not stop the writer.
  explicit Database(const std::string& path);

  Statement prepare(std::string_view sql) const { return Statement(*this, sql); }
  void run(const std::string& sql) const;           // one or more statements that give no rows
  std::int64_t number(std::string_view sql) const;  // the one whole number that `sql` asks for

  [[noreturn]] void fail_damaged(std::string_view why) const;

 private:
  friend class Statement;
  struct Close {
    void operator()(sqlite3* connection) const;
  };
  void check(int code) const;  // throws unless it is one of success

  std::string path_;
  std::unique_ptr<sqlite3, Close> connection_;
};

// All or nothing: what is done between its making and commit().
class Transaction {
 public:
  explicit Transaction(const Database& database);
  ~Transaction();
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;
  void commit();

 private:
  const Database& database_;
  bool open_ = true;
};

}  // namespace adwp::nas
