#include "nas/store/database.h"

#include <sqlite3.h>

#include <filesystem>
#include <system_error>

#include "framework/core/error.h"

namespace adwp::nas {
namespace {

constexpr int patience_ms = 10'000;                              // while a reader's tool holds the file
constexpr int longest_text = 1 << 20;                            // bytes of a text or a row: more is damage
constexpr std::uintmax_t most_bytes = std::uintmax_t{16} << 30;  // some million candidates

}  // namespace

void Statement::Finalize::operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
void Database::Close::operator()(sqlite3* connection) const { sqlite3_close(connection); }

Statement::Statement(const Database& database, std::string_view sql) : database_(database) {
  sqlite3_stmt* statement = nullptr;
  database.check(sqlite3_prepare_v2(database.connection_.get(), sql.data(), sql.size(), &statement, nullptr));
  statement_.reset(statement);
}

void Statement::reset() {
  sqlite3_reset(statement_.get());  // repeats the last step's error, which was thrown
  sqlite3_clear_bindings(statement_.get());
}

void Statement::bind_integer(int place, std::int64_t value) {
  database_.check(sqlite3_bind_int64(statement_.get(), place, value));
}

void Statement::bind_one(int place, double value) {
  database_.check(sqlite3_bind_double(statement_.get(), place, value));
}

void Statement::bind_one(int place, std::string_view text) {
  database_.check(sqlite3_bind_text(statement_.get(), place, text.data(), text.size(), SQLITE_TRANSIENT));
}

bool Statement::step() {
  const int code = sqlite3_step(statement_.get());
  if (code != SQLITE_ROW) database_.check(code);
  return code == SQLITE_ROW;
}

bool Statement::null(int column) const {
  return sqlite3_column_type(statement_.get(), column) == SQLITE_NULL;
}

std::int64_t Statement::integer(int column) const { return sqlite3_column_int64(statement_.get(), column); }

double Statement::real(int column) const { return sqlite3_column_double(statement_.get(), column); }

std::string Statement::text(int column) const {
  const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(statement_.get(), column));
  if (text == nullptr) return {};
  return std::string(text, sqlite3_column_bytes(statement_.get(), column));
}

std::optional<double> Statement::optional_real(int column) const {
  return null(column) ? std::nullopt : std::optional(real(column));
}

Database::Database(const std::string& path) : path_(path) {
  std::error_code none;
  const std::uintmax_t size = std::filesystem::file_size(path, none);
  if (!none && size > most_bytes) {
    fail("store", "cannot use {}, got {} bytes, expected at most {}", path, size, most_bytes);
  }
  sqlite3* connection = nullptr;
  const int code =
      sqlite3_open_v2(path.c_str(), &connection, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, nullptr);
  connection_.reset(connection);  // also when it failed, to tell why
  check(code);
  sqlite3_busy_timeout(connection, patience_ms);
  // The file may have been put there by anyone: it gets no say in what is run.
  sqlite3_limit(connection, SQLITE_LIMIT_LENGTH, longest_text);
  sqlite3_db_config(connection, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  sqlite3_db_config(connection, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
  run("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA foreign_keys = ON");
}

void Database::run(const std::string& sql) const {
  check(sqlite3_exec(connection_.get(), sql.c_str(), nullptr, nullptr, nullptr));
}

std::int64_t Database::number(std::string_view sql) const {
  Statement statement = prepare(sql);
  return statement.step() ? statement.integer(0) : 0;
}

void Database::check(int code) const {
  if (code == SQLITE_OK || code == SQLITE_DONE || code == SQLITE_ROW) return;
  const std::string why = connection_ ? sqlite3_errmsg(connection_.get()) : sqlite3_errstr(code);
  const int kind = code & 0xFF;
  if (kind == SQLITE_CORRUPT || kind == SQLITE_NOTADB || kind == SQLITE_ERROR || kind == SQLITE_TOOBIG) {
    fail_damaged(why);
  }
  if (kind == SQLITE_FULL) fail("store", "cannot write {}: {}; make room and resume", path_, why);
  const int reason = connection_ ? sqlite3_system_errno(connection_.get()) : 0;
  fail("store", "cannot use {}: {}{}", path_, why,
       reason == 0 ? "" : fmt::format(" ({})", std::generic_category().message(reason)));
}

void Database::fail_damaged(std::string_view why) const {
  fail("store",
       "{} is damaged: {}; move it away and resume: what it held is done again, to the same result unless "
       "latencies were measured",
       path_, why);
}

Transaction::Transaction(const Database& database) : database_(database) { database.run("BEGIN IMMEDIATE"); }

Transaction::~Transaction() {
  if (!open_) return;
  try {
    database_.run("ROLLBACK");
  } catch (const Error&) {  // SQLite has rolled back by itself
  }
}

void Transaction::commit() {
  database_.run("COMMIT");
  open_ = false;
}

}  // namespace adwp::nas
