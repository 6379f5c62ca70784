"""Words that `@` marks in code, where it calls nobody: posts about programs are full of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

_BY_LANGUAGE: Final[Mapping[str, str]] = {
    "Java, Kotlin": """
        Override Deprecated SuppressWarnings FunctionalInterface SafeVarargs Retention Target Documented Inherited
        interface Nullable NonNull NotNull NotBlank NotEmpty Valid Size Inject Singleton Provides Named PostConstruct
        PreDestroy JvmStatic JvmField Composable Parcelize""",
    "Spring": """
        Autowired Component Service Repository Controller RestController Configuration Bean Value Qualifier Primary
        Scope Profile Import ComponentScan PropertySource Transactional SpringBootApplication SpringBootTest
        EnableAutoConfiguration RequestMapping GetMapping PostMapping PutMapping DeleteMapping PathVariable RequestParam
        RequestBody ResponseBody ExceptionHandler Async Scheduled Cacheable""",
    "JPA, JAX-RS, Jackson, Lombok": """
        Entity Table Column Id GeneratedValue OneToMany ManyToOne OneToOne ManyToMany JoinColumn Embedded Query Path GET
        POST Produces Consumes JsonProperty JsonIgnore XmlElement Data Getter Setter Builder Slf4j NoArgsConstructor
        AllArgsConstructor""",
    "JUnit, Mockito": """
        Test Before After BeforeEach AfterEach BeforeAll AfterAll BeforeClass AfterClass Ignore Disabled RunWith Mock
        InjectMocks""",
    "TypeScript, Angular": "Injectable Input Output NgModule Directive Pipe HostListener ViewChild ViewChildren",
    "Python": """
        property staticmethod classmethod abstractmethod dataclass dataclasses.dataclass lru_cache functools.lru_cache
        functools.wraps cache cached_property contextmanager contextlib.contextmanager wraps overload override
        pytest.fixture pytest.mark.parametrize login_required jit njit tf.function""",
    "CSS, Sass, Razor": """
        media import keyframes font-face supports charset page layer namespace include mixin extend use forward function
        apply container if else for each while return section model""",
    "Javadoc, JSDoc, Doxygen": """
        param params returns throws exception see since author version deprecated type typedef brief code link
        inheritDoc todo example callback private public protected internal readonly template var method""",
    "Objective-C, Swift": """
        implementation synthesize selector class protocol end optional autoreleasepool objc IBOutlet IBAction State
        Binding StateObject ObservedObject Published Environment MainActor escaping available main""",
}
CODE_WORDS: Final = frozenset(" ".join(_BY_LANGUAGE.values()).split())
