#include "apps/search_app.hpp"

#include "edgeloop/comm/session.hpp"
#include "edgeloop/core/program.hpp"
#include "edgeloop/model/threads.hpp"

int main(int argc, char** argv) {
    edgeloop::restart_with_short_spinning(argv);
    return edgeloop::run_program([&] { return edgeloop::apps::search_main(argc, argv); },
                                 edgeloop::MpiSession::abort);
}
