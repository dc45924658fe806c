// The one place where Asio itself is compiled for the lab.
#include <boost/asio/impl/src.hpp>
