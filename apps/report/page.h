// A page: its frame, style and scripts from apps/report/page, and the data they show.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace adwp::apps {

// `kind`: the body and the script to use, search or train. NaN and Inf become null, bytes that are no UTF-8
// the replacement character.
std::string page_of(std::string_view kind, const nlohmann::ordered_json& data);

// JSON as it may stand inside <script>: no '<', so no end of the element.
std::string script_json(const nlohmann::ordered_json& data);

}  // namespace adwp::apps
