# `cmake --install build/release` installs the programs and example configurations. It never writes below /etc: a
# configuration in use belongs to its owner. Each program is a component that needs nothing of the other, not even built.
include(GNUInstallDirs)

function(holdfast_install program)
  if(NOT TARGET ${program})
    return()
  endif()
  install(TARGETS ${program} RUNTIME DESTINATION "${CMAKE_INSTALL_BINDIR}" COMPONENT ${program})
  install(FILES ${ARGN} DESTINATION "${CMAKE_INSTALL_DOCDIR}/examples" COMPONENT ${program})
endfunction()

holdfast_install(lb config/lb.yaml config/lb-routes.yaml)
holdfast_install(shortener config/shortener.yaml)
