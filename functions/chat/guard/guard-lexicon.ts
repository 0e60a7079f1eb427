/**
 * What words mean to the guard, in English and French, folded (lower case, no accents). `word*` stands for every word
 * that begins so. A concept says nothing by itself: the rules look for several in the right order.
 */
export const lexicon = {
  // What is asked of the assistant.
  ignore: `
    ignore ignoring ignorer ignorez ignores disregard* forget forgetting override overriding overwrite
    bypass bypassing circumvent neglect discard discarding skip overlook violate drop erase unlearn abandon
    disable disabling deactivate remove lift suspend disobey oublie oublier oubliez oublies contourne
    contourner contournez contournes outrepasse* desobei* transgresse* enfrein* efface effacer effacez
    supprime supprimer supprimez abandonne abandonner abandonnez desactive desactiver desactivez leve enleve
    enlever enlevez retire retirer retirez neglige negliger negligez viole suspends suspendre sidestep evade
    contravene transcend dismiss forsake relinquish dissociate disassociate disconnect disengage ditch
    overrule overturn reject renounce purge sideline exceed deviate depasse* contrevien* contreven* rejette
    rejeter renonce* dissocie* deconnecte* defais jette jeter ecarte ecarter ecartez omets contredis scrap
    break shelve halt pause nullify bypasse bypasser eloigne range ranger`,
  ignored: `
    ignored disregarded forgotten overridden dropped discarded skipped ignoree ignorees ignores oubliee
    oubliees oublies supprimees abandonnees`,
  follow: `
    follow following obey obeying respect respecting apply applying comply complying heed listen listening
    consider honor honour suis suivre suivez suives respecte respecter respectez respectes applique
    appliquer appliquez appliques obeis obeir obeissez ecoute ecouter ecoutez compte attention abide stick`,
  void: `
    void null obsolete cancelled canceled revoked invalid lifted suspended superseded outdated deprecated
    replaced annulee annulees annule caduc caduque* perimee perimees obsoletes levees suspendues abrogees
    remplacees nulles disabled deactivated desactivees desactives`,
  applies: `apply applies applicable valid valide valides valables appliquent applique force vigueur`,
  mistake: `mistake error erroneous erreur test joke blague plaisanterie`,
  repeat: `
    reveal* show print printing display output disclose leak expose repeat recite write copy dump list quote
    reproduce echo paste spell return render emit export reprint unveil revele reveler revelez montre
    montrer montrez affiche afficher affichez imprime imprimer imprimez divulgue* devoile* repete repeter
    repetez redis reciter recitez ecris ecrire ecrivez recopie recopier recopiez copie copier copiez liste
    lister listez cite citer citez reprodui* colle coller epelle epeler epelez retranscri* transcri*
    restitue* enumere* exposer dumpe`,
  tell: `
    tell give share translate encode summarize summarise paraphrase describe say provide convert rewrite
    rephrase explain read state present complete finish transform compress obfuscate extract leak know see
    access view dis dire dites donne donner donnez partage partager partagez communique communiquer
    communiquez transmets transmettre transmettez traduis traduire traduisez encoder resume resumer resumez
    paraphraser decris decrire decrivez fournis fournir fournissez explique expliquer expliquez lis lire
    lisez convertis convertir reformule reformuler reformulez precise completer completez redige rediger
    redigez raconte termine voir connaitre consulter transforme fill format`,
  ask: `what whats which quel quelle quels quelles que quoi`,
  how: `how comment`,
  decode: `decode decoding decrypt unscramble decipher decoder decodez dechiffre* decrypte*`,
  execute: `
    execute run obey perform apply follow do executer executez applique appliquer appliquez fais suis obeis`,
  act: `
    act acting behave behaving respond responding answer answering reply replying function operate speak
    speaking talk talking write agis agir agissez comporte comporter comportez comportes reponds repondre
    repondez repondras parle parler parlez fonctionne`,
  as: `as like comme tant`,
  pretend: `
    pretend imagine simulate simulating emulate emulating roleplay roleplaying impersonate suppose imagines
    imaginez imaginer simule simuler simulez simules incarne incarner incarnez incarnes pretends feins mime
    joues`,
  play: `play playing assume take adopt prends prendre prenez joue jouer jouez joues jeu`,
  switch: `
    switch adopt drop become becoming swap break adopte adopter adoptez change* deviens devenir devenez
    quitte quitter quittez modify alter reconfigure adjust invert replace modifie modifier modifiez remplace
    remplacer remplacez`,
  enable: `
    enable enabling activate activating enter entering switch start go unlock engage active activer activez
    actives passe passer passez entre entrer entrez bascule basculer basculez debloque deverrouille demarre`,
  stop: `stop stopping cease quit arrete arreter arretez arretes cesse cesser cessez cesses`,
  put: `
    put set leave lay throw cast push mets mettre mettez mettes met laisse laisser laissez laisses fais
    faire faites fasses passe passer passez pay turn switch shut`,
  aside: `aside away cote abstraction fi outre attention off behind hold`,
  obey: `obey obeys obeir obeis obeisse obeisses obeissez`,
  must: `must shall should will have need doit dois devez doivent devras vas`,
  allow: `
    authorise authorize allow permit grant authorised authorized permission clearance autorise autorises
    autorisation permets`,
  // Whom it is about.
  you: `you u yourself ya tu t te toi vous`,
  your: `your yours ur ton ta tes vos votre`,
  my: `my our mine mon ma mes notre nos`,
  me: `i we me us my je j on nous m moi`,
  others: `they he she it ils elles on`,
  maker: `
    developer* creator* maker* operator* company openai mistral anthropic employer programmer*
    administrator* admin* engineer* createur* developpeur* concepteur* operateur entreprise societe
    programmeur* employeur administrateur* ingenieur*`,
  assistant: `assistant bot chatbot agent robot ai ia helper model modele service system programme program`,
  persona: `
    ai ia bot robot chatbot model modele terminal console shell hacker pirate character personnage persona
    personas evil villain dan gpt llm linux python interpreter interpreteur malefique sorcier wizard machine
    entity entite demon devil diable linguistique jailbroken uncensored unfiltered unrestricted omniscient
    amoral criminal criminel terroriste oracle chatgpt gpt4 claude gemini mistral llama copilot
    administrator administrateur`,
  // What it is about.
  instruction: `
    instruction instructions guideline guidelines guidance directive directives briefing programming
    consigne consignes programmation ordres prompting`,
  rule: `
    rule rules policy policies protocol protocols regle regles principe principes politiques procedure
    procedures principle principles norm norms standards normes code codes parameter* parametre*`,
  limit: `
    restriction* limitation* limit limits filter filters safeguard* guardrail* safety ethics ethical moral
    morals morality censorship constraint* protection* check checks boundaries rail limite limites filtre
    filtres fous garde morale ethique censure contrainte* tabou* scruple* scrupule* moderation boundary controle controles`,
  config: `configuration config setup context contexte settings parametrage preamble preambule`,
  prompt: `prompt prompts preprompt metaprompt sysprompt promptsystem invite`,
  command: `command shell dos commandes password error driver terminal install installe commande`,
  text: `
    text texte message messages word words mot mots phrase phrases sentence sentences line lines ligne
    lignes content contents contenu paragraph paragraphe instruction instructions consignes tokens string`,
  everything: `everything anything all`,
  all: `
    all any every everything each entire whole full tout toute tous toutes integral* entier* complet*
    ensemble aucune aucun`,
  hidden: `hidden confidential undisclosed cache caches cachee cachees secret* confidentiel*`,
  internal: `internal private underlying backend interne* prive*`,
  system: `system systeme sys developer developpeur core root master initial* startup`,
  prior: `
    previous prior earlier above preceding former initial* original* foregoing precedent* anterieur* dessus
    depart origine base existing existantes`,
  above: `above precede precedent precedes preceding dessus preceded`,
  before: `before avant prior beginning start top debut preceding haut`,
  anchor: `
    this my our mine conversation chat discussion session ce cet cette mon notre mien message question
    echange first now`,
  chat: `conversation chat discussion session dialogue echange thread start beginning debut`,
  first: `first premier premiere opening`,
  given: `
    given told received provided loaded fed instructed trained prompted briefed taught donne donnes donnee
    donnees recu recus recue recues fourni* transmis* programme* configure* demande dit appris indique*
    impose* ecrit operate work`,
  said: `said say told wrote explained mentioned dis dit ecrit explique mentionne repondu answered`,
  exact: `
    verbatim exactly exact exacte exactes exacts literally literal textuel* quel integral* identique mot
    word character lettre caractere unchanged starting commencant modify changer changing`,
  form: `
    base64 hex rot13 json yaml markdown block bloc table tableau backwards envers reverse poem poeme song
    chanson emoji cipher code csv xml debut beginning translation`,
  // How the assistant was made, and what its makers put in.
  habit: `
    procedure procedures parameter* parametre* code codes principle principles principe principes framework
    norm norms normes values valeurs training formation algorithm* algorithme* mechanism* mecanisme*
    settings protocol protocols protocole protocoles pattern patterns methods methodes behavior behaviour
    comportement process processus routine routines design compass pathways checks measures mesures
    programming programmation operation system systems systemes criteria criteres operations ethics ethiques
    standards constraints`,
  usual: `
    usual standard builtin built default programmed preprogrammed operational regular normal typical
    established routine ethical core fundamental foundational automated content safety security habituel*
    standards defaut programme programmes programmee programmees integre* operationnel* etabli* ethique
    ethiques routinier* fondamental* securite`,
  core: `
    primary fundamental* foundational underlying essential* central* principal* cle key guiding directrice
    core main base original* initial* hidden covert starting`,
  cue: `prompt prompts invite command commande input cue instruction directive query instructions directives`,
  cause: `
    behind generate generated generating led leads prompted sparked power powers drive drives guide guides
    produced created create resulted elicited steered steers underpins shaped shapes inspired derriere
    alimente genere produit dirige entraine initiated caused for inform informed based bases fondee basee
    construit fuels fuel`,
  engine: `
    ai ia training formation programming programmation development developpement functionality
    fonctionnalite algorithm* algorithme* neural operations operation`,
  answer: `response responses answer answers output reply replies reponse reponses`,
  only: `
    only solely exclusively alone uniquement exclusivement seulement prioritize prioritise priorise above`,
  wish: `
    instruction instructions directive directives command commands demand demands request requests order
    orders guidance direction directions wishes whims needs ordre ordres demande demandes requete requetes
    commandes besoins volontes authority rules rule regles`,
  // What becomes of the role.
  be: `are be being re is est es etes etre soit sois sont etaient was were been`,
  now: `now henceforth onwards onward forward maintenant desormais dorenavant present`,
  not: `
    not don dont never no nor without longer stop none zero ne n pas plus jamais sans aucun aucune ni non`,
  nolonger: `longer anymore plus`,
  free: `
    unfiltered uncensored unrestricted unlimited jailbroken jailbreak* unbound unchained amoral debride*
    illimite dechaine`,
  filtered: `filtre filtree censure censuree bride bridee restreint restreinte`,
  mode: `mode`,
  modename: `
    developer dev god sudo debug debugging admin maintenance dan jailbreak root free evil opposite
    unrestricted unfiltered developpeur dieu debogage administrateur libre limites limite restriction filtre
    diagnostic master open unbounded unregulated unlimited query conversational secret advanced freedom
    liberte requete ouvert maitre alpha beta override`,
  role: `role persona personality character identity part personnalite personnage identite caractere`,
  new: `new updated real actual true nouveau nouvel nouvelle nouvelles nouveaux vraie veritable`,
  task: `
    task mission goal job objective purpose directive instructions tache objectif but consigne consignes
    directives`,
  named: `called named appelles appeles nommes name nom`,
  want: `want need would like veux voudrais souhaite faut going vas aimerais`,
  article: `a an the un une le la l des`,
  end: `end fin stop`,
  input: `input prompt question instructions instruction message saisie conversation context`,
  begin: `begin start debut nouvelles new`,
  // What makes it harmless.
  about: `
    for about on of regarding concerning to how in with when at pour sur de d du des concernant afin quant
    au aux dans en lors`,
  moment: `
    moment now answer question time conversation while minute minutes test fun reply once response instant
    fois suite reponse reste rest message turn request demande requete`,
  step: `step steps booklet leaflet label etape etapes livret etiquette montage assembly`,
  reply: `
    reply response answer delivery help attention action service reaction payment shipping assistance
    reponse retour retablissement paiement livraison envoi feedback treatment traitement dispatch refund`,
  aux: `ai a as avons avez ont avoir ayant avait avais`,
  polite: `
    please kindly now then and so just also ok okay hello hi hey well first next instead right s te il vous
    plait merci veuillez bonjour alors donc ensuite maintenant et puis d abord sil stp svp let lets`,
} as const;

/** Something a word may mean. */
export type Word = keyof typeof lexicon;
