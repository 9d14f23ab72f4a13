// Settings list the devices for --version, which no fuzz target asks for: none are linked.
#include "apps/common/devices.h"

namespace adwp::apps {

Registry devices(int, const std::string&, const std::string&) { return {}; }

}  // namespace adwp::apps
